"""The metric behind a score, and its text for people."""

from dataclasses import dataclass

from autolr.online.forecast import Forecast


@dataclass(frozen=True, slots=True)
class Monitor:
    """The metric that scores a run. A search's scores are lower for better, whatever the metric.

    The sign changes here and nowhere else: with `score` where a value enters, with `value` where
    it is shown.

    Attributes:
        name: As the user calls it.
        mode: Whether a lower ("min") or a higher ("max") value of it is better.
    """

    name: str = "score"
    mode: str = "min"

    def score(self, value: float) -> float:
        """Return the score that a value of the metric stands for; lower is better."""
        return -value if self.mode == "max" else value

    def value(self, score: float) -> float:
        """Return the metric's value that a score stands for."""
        return self.score(score)  # a sign is its own inverse

    def text(self, score: float) -> str:
        """Return the metric's value as people read it.

        >>> Monitor("val_acc", "max").text(-0.98765), Monitor().text(float("inf"))
        ('0.9877', 'diverged')
        """
        return "diverged" if score == float("inf") else f"{self.value(score):.4g}"

    def expected(self, forecast: Forecast) -> str:
        """Return a forecast as people read it.

        >>> Monitor("val_acc", "max").expected(Forecast(-0.9, -0.95, -0.85))
        '0.9 (0.85 to 0.95)'
        """
        low, high = sorted((self.value(forecast.low), self.value(forecast.high)))
        return f"{self.value(forecast.loss):.3g} ({low:.3g} to {high:.3g})"

"""The metrics and messages of a search: for the Trainer's loggers and for the console."""

import math

from autolr.callbacks.namespaces import Trainer, rank_zero_info
from autolr.online.monitor import Monitor
from autolr.online.progress import Progress
from autolr.online.records import ProbeScore
from autolr.result.messages import news
from autolr.result.result import Result
from autolr.rules.fixed import OWN
from autolr.runtime.rivals import Rivals


class SearchMetrics:
    """Sends what a search does to the Trainer's loggers, and to nothing else of the run.

    ``autolr/rate`` and, during the search, ``autolr/probe_steps`` come at the steps at which the
    Trainer logs its own values, ``autolr/score/RATE`` as a probe is scored, ``autolr/peak`` as the
    search ends, if it has one. Steps are numbered as the Trainer numbers them, from 0.

    Args:
        monitor: The metric of the scores.
    """

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor
        self._logged = 0  # how many scores
        self._printed: Progress | None = None  # of which the user has read

    def skip(self, search: Progress) -> None:
        """Leave out what a search has behind it, as it starts or is resumed."""
        self._logged, self._printed = len(search.scores), search

    def step(self, trainer: Trainer, rate: float, rivals: Rivals | None) -> None:
        """Log the step that has just been made.

        Args:
            trainer: The Trainer, after the step.
            rate: The highest rate of the groups in that step.
            rivals: The search; None when it is over.
        """
        if not trainer.loggers:
            return
        values = {}
        every = trainer.log_every_n_steps  # type: ignore[attr-defined]
        if every and trainer.global_step % every == 0:
            values["rate"] = rate
            if rivals is not None:
                values["probe_steps"] = float(rivals.probe_steps)
        if rivals is not None and len(rivals.search.scores) > self._logged:
            values |= self._scores(rivals)
        _log(trainer, values)

    def news(self, rivals: Rivals) -> None:
        """Print a line for each change of the search since the last call."""
        if self._printed is not None:
            for line in news(self._printed, rivals.search, rivals.total_steps, self._monitor):
                rank_zero_info(line)
        self._printed = rivals.search

    def decision(self, trainer: Trainer, result: Result) -> None:
        """Log the end of the search.

        Args:
            trainer: The Trainer.
            result: The result of the search.
        """
        peak = {} if result.peak is None else {"peak": result.peak}
        _log(trainer, {**peak, "probe_steps": float(result.probe_steps)})

    def _scores(self, rivals: Rivals) -> dict[str, float]:
        """Return the monitored values of new probes; a logger can draw none that diverged."""
        new = rivals.search.scores[self._logged :]
        self._logged += len(new)
        finite = [scored for scored in new if math.isfinite(scored.score)]
        steps = rivals.total_steps
        return {f"score/{_named(one, steps)}": self._monitor.value(one.score) for one in finite}


def _named(scored: ProbeScore, total_steps: int) -> str:
    rate = f"{scored.rate(total_steps):.3g}"
    return rate if scored.candidate.rule == OWN else f"{scored.candidate.rule}/{rate}"


def _log(trainer: Trainer, values: dict[str, float]) -> None:
    named = {f"autolr/{name}": value for name, value in values.items()}
    for logger in trainer.loggers if named else ():
        logger.log_metrics(named, step=max(trainer.global_step - 1, 0))

"""What a search tells the Trainer's loggers, and who looks on."""

import math

from autolr.callbacks.namespaces import Trainer, rank_zero_info
from autolr.online.events import ProbeScore
from autolr.online.monitor import Monitor
from autolr.online.progress import Progress
from autolr.result.messages import news
from autolr.result.result import Result
from autolr.rules.fixed import OWN
from autolr.runtime.rivals import Rivals


class SearchMetrics:
    """Sends what a search does to the Trainer's loggers, and to nothing else of the run.

    ``autolr/rate`` and, during the search, ``autolr/probe_steps`` come at the steps at which the
    Trainer logs its own values, ``autolr/score/RATE`` as a probe is scored, ``autolr/peak`` as the
    search ends, if it has found one. Steps are numbered as the Trainer numbers them, from 0.

    Args:
        monitor: What the scores are of.
    """

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor
        self._told = 0

    def skip(self, search: Progress) -> None:
        """Say that the scores of a search have been told before."""
        self._told = len(search.scores)

    def step(self, trainer: Trainer, rate: float, rivals: Rivals | None) -> None:
        """Tell of the step that has just been made, at ``rate``."""
        if not trainer.loggers:
            return
        values = {}
        every = trainer.log_every_n_steps  # type: ignore[attr-defined]
        if every and trainer.global_step % every == 0:
            values["rate"] = rate
            if rivals is not None:
                values["probe_steps"] = float(rivals.probe_steps)
        if rivals is not None and len(rivals.search.scores) > self._told:
            values |= self._scores(rivals)
        _log(trainer, values)

    def decision(self, trainer: Trainer, result: Result) -> None:
        """Tell of the end of the search."""
        peak = {} if result.peak is None else {"peak": result.peak}
        _log(trainer, {**peak, "probe_steps": float(result.probe_steps)})

    def _scores(self, rivals: Rivals) -> dict[str, float]:
        """Return the monitored values of new probes; a logger can draw none that diverged."""
        new = rivals.search.scores[self._told :]
        self._told += len(new)
        finite = [told for told in new if math.isfinite(told.score)]
        steps = rivals.total_steps
        return {f"score/{_named(told, steps)}": self._monitor.value(told.score) for told in finite}


def _named(told: ProbeScore, total_steps: int) -> str:
    rate = f"{told.rate(total_steps):.3g}"
    return rate if told.candidate.rule == OWN else f"{told.candidate.rule}/{rate}"


def print_messages(before: Progress, rivals: Rivals, monitor: Monitor) -> None:
    """Say in a line what has just happened to the run, if anything."""
    for line in news(before, rivals.search, rivals.total_steps, monitor):
        rank_zero_info(line)


def _log(trainer: Trainer, values: dict[str, float]) -> None:
    named = {f"autolr/{name}": value for name, value in values.items()}
    for logger in trainer.loggers if named else ():
        logger.log_metrics(named, step=max(trainer.global_step - 1, 0))

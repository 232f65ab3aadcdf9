"""The metrics and messages of a search: for the Trainer's loggers and for the console."""

import math
from collections.abc import Sequence
from weakref import WeakSet

from autolr.callbacks.namespaces import Logger, Trainer, rank_zero_info, rank_zero_warn
from autolr.callbacks.step_count import is_manual
from autolr.online.monitor import Monitor
from autolr.online.progress import Progress
from autolr.online.records import ProbeScore
from autolr.result.messages import progress_lines
from autolr.result.result import Result
from autolr.runtime.failures import in_words
from autolr.runtime.rivals import Rivals

_REFUSING = WeakSet[Logger]()
"""Loggers that have raised at a metric of ours."""


class SearchMetrics:
    """Sends what a search does to the Trainer's loggers, and to nothing else of the run.

    All are curves. ``autolr/rate``, during the search ``autolr/probe_steps``, and after it
    ``autolr/peak``, if there is one, come at the steps at which the Trainer logs its own values.
    At each comparison come ``autolr/score``, of the state with which the run continues, and
    ``autolr/rival_score``, of the best of the others; a score that is not finite is left out, since
    a logger cannot draw it. Steps are numbered as the Trainer numbers them, from 0. A run in which
    nothing is searched logs nothing.

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

    def step(
        self, trainer: Trainer, rate: float, rivals: Rivals | None, result: Result | None
    ) -> None:
        """Log the step that has just been made.

        Args:
            trainer: The Trainer, after the step.
            rate: The highest rate of the groups in that step.
            rivals: The search; None when it is over.
            result: Its result; None before it is over.
        """
        if not trainer.loggers or _is_silent(result):
            return
        values = {}
        if _is_due(trainer):
            values["rate"] = rate
            if rivals is not None:
                values["probe_steps"] = float(rivals.probe_steps)
            if result is not None and result.peak is not None:
                values["peak"] = result.peak
        if rivals is not None and len(rivals.search.scores) > self._logged:
            values |= self._scores(rivals.search.scores)
        _log(trainer, values)

    def print_progress(self, rivals: Rivals) -> None:
        """Print a line for each change of the search since the last call."""
        if self._printed is not None:
            for line in progress_lines(
                self._printed, rivals.search, rivals.total_steps, self._monitor
            ):
                rank_zero_info(line)
        self._printed = rivals.search

    def decision(self, trainer: Trainer, result: Result) -> None:
        """Log the end of the search.

        Args:
            trainer: The Trainer.
            result: The result of the search.
        """
        if _is_silent(result):
            return
        peak = {} if result.peak is None else {"peak": result.peak}
        _log(trainer, {**peak, "probe_steps": float(result.probe_steps)})

    def _scores(self, scores: Sequence[ProbeScore]) -> dict[str, float]:
        """Return the monitored values of new probes: the kept one's, and the best of the others."""
        new, self._logged = scores[self._logged :], len(scores)
        kept = [scored.score for scored in new if scored.kept]
        others = [scored.score for scored in new if not scored.kept]
        best = {"score": min(kept, default=math.inf), "rival_score": min(others, default=math.inf)}
        return {
            name: self._monitor.value(score) for name, score in best.items() if math.isfinite(score)
        }


def log_value(trainer: Trainer, name: str, value: float) -> None:
    """Log a value of the step that has just been made, where the Trainer logs its own values.

    Args:
        trainer: The Trainer, after the step.
        name: What it is; the loggers get ``autolr/name``.
        value: The value.
    """
    if trainer.loggers and _is_due(trainer):
        _log(trainer, {name: value})


def _is_silent(result: Result | None) -> bool:
    """Return whether nothing was searched in a run: then loggers get what they get without us."""
    if result is None or result.scores or result.probe_steps:
        return False
    return result.broken_off is None


def _is_due(trainer: Trainer) -> bool:
    every: int = trainer.log_every_n_steps  # type: ignore[attr-defined]
    return every > 0 and _logged_steps(trainer) % every == 0


def _logged_steps(trainer: Trainer) -> int:
    """Return the steps with which the Trainer numbers what it logs, the present one among them."""
    if is_manual(trainer):  # it counts each step of each optimizer, and numbers batches
        return trainer.fit_loop.epoch_loop._batches_that_stepped + 1
    return trainer.global_step


def _log(trainer: Trainer, values: dict[str, float]) -> None:
    named = {f"autolr/{name}": value for name, value in values.items()}
    for logger in trainer.loggers if named else ():
        if logger in _REFUSING:
            continue
        try:
            logger.log_metrics(named, step=max(_logged_steps(trainer) - 1, 0))
        except Exception as error:  # of whatever the logger writes to: ours are a courtesy
            _REFUSING.add(logger)
            rank_zero_warn(
                f"AutoLR: {type(logger).__name__} does not take {', '.join(named)}, so it gets no "
                f"more of them: {in_words(error)}"
            )

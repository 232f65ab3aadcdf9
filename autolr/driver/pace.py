"""How far a study is, and how long it still takes, also between its rungs."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from autolr.driver.events import Event, RungReached, StudyReady, TrialEnded, TrialStarted
from autolr.study import TrialRecord
from autolr.study.simulation import StudyPlan, expected

_UNSURE = 0.99  # of a study that continues, whatever was expected of it


@dataclass
class Pace:
    """Tells from the events of a study how far it is; between them its pace is the same.

    The steps of the whole study are those expected if its trials come in a random order of quality.

    Args:
        ready: The event with which the study began or was resumed.
        now: The time of that event, in seconds; all times are of the same clock.
    """

    ready: StudyReady
    now: float
    _total: float = field(init=False)
    _made: int = field(init=False, default=0)
    _begun: float = field(init=False)
    _last: float = field(init=False)
    _steps: dict[int, int] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        tune, ready = self.ready.config.tune, self.ready
        workers = tune.workers if isinstance(tune.workers, int) else 1
        plan = StudyPlan(tune.trials, ready.run_steps, ready.hyperband, tune.pruner.pause, workers)
        self._total = max(1.0, expected(plan, ready.config.seed).steps)
        self._begun = self._last = self.now

    def observe(self, event: Event, now: float) -> None:
        """Take note of an event; those that say nothing about steps are passed over.

        Args:
            event: What happened.
            now: When, in seconds.
        """
        match event:
            case TrialStarted(number=number, promoted=promoted):
                if not self._steps:
                    self._begun = self._last = now
                self._steps[number] = max(promoted or 0, self._steps.get(number, 0))
            case RungReached(number=number, step=step):
                self._advance(number, step, now)
            case TrialEnded(trial=trial):
                if trial.number in self._steps:
                    self._advance(trial.number, reached(trial, self.ready.run_steps), now)

    def share(self, now: float) -> float:
        """Return the share of the study's steps that are made, from 0 to 0.99."""
        done = self.ready.done + self._made + self._rate * (now - self._last)
        return min(_UNSURE, done / self._total)

    def left(self, now: float) -> float | None:
        """Return the seconds until the study is over; None before the first rung or end."""
        if not self._rate:
            return None
        ahead = max(0.0, self._total - self.ready.done - self._made) / self._rate
        timeout = self.ready.config.tune.timeout
        left = ahead - (now - self._last)
        if timeout is not None:
            left = min(left, timeout - (now - self.now))
        return max(0.0, left)

    @property
    def _rate(self) -> float:
        """Steps a second of all workers together; 0: not known yet."""
        seconds = self._last - self._begun
        return self._made / seconds if seconds > 0 else 0.0

    def _advance(self, number: int, step: int, now: float) -> None:
        self._made += max(0, step - self._steps.get(number, 0))
        self._steps[number] = max(step, self._steps.get(number, 0))
        self._last = now


def reached(trial: TrialRecord, run_steps: int) -> int:
    """Return the steps of a trial as far as its scores tell them.

    Args:
        trial: The trial.
        run_steps: Of a whole run.
    """
    return run_steps if trial.state == "COMPLETE" else max(trial.scores, default=0)


def made_before(trials: Iterable[TrialRecord], run_steps: int) -> int:
    """Return the steps of all trials of a study that is resumed.

    Args:
        trials: Its trials.
        run_steps: Of a whole run.
    """
    return sum(reached(trial, run_steps) for trial in trials)

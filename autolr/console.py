"""A study on the console: one line per event, and on a terminal a progress bar."""

import math
import time
from collections.abc import Callable, Iterator
from shlex import quote
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
)
from rich.progress import Progress as Bar
from rich.text import Text
from typing_extensions import override

from autolr import report, study
from autolr.config import can_be_fitted
from autolr.counted import counted
from autolr.driver import (
    CheckStarted,
    Event,
    Noted,
    RungReached,
    StudyEstimated,
    StudyReady,
    TrialEnded,
    TrialFailed,
    TrialStarted,
    TuneResult,
    WorkerLost,
    WorkersAwaited,
)
from autolr.driver.pace import Pace
from autolr.sampler import sampler_text
from autolr.storage_url import shown

_TELL_EVERY = 60.0  # seconds between two lines that say how far the study is
_BEST = 5  # trials in the final table: it fits on a small terminal


class ConsoleProgress:
    """A listener of `autolr.tune` that prints events, within ``with`` with a bar on a terminal.

    >>> with autolr.ConsoleProgress() as progress:  # doctest: +SKIP
    ...     autolr.tune(objective, space, listener=progress)
    """

    def __init__(self) -> None:
        self._console = Console(highlight=False, soft_wrap=True)
        columns = (TextColumn("trials"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._pace: Pace | None = None
        self._told = 0.0  # when a line last said how far the study is
        self._bar = Bar(*columns, _Left(lambda: self._pace), console=self._console, transient=True)
        self._task = self._bar.add_task("trials", visible=False)
        self._monitor = self._kind = ""
        self._next = "another one starts"

    def __enter__(self) -> "ConsoleProgress":
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def __call__(self, event: Event) -> None:
        """Print an event."""
        self._print(event)
        now = time.monotonic()
        if isinstance(event, StudyReady):
            self._pace, self._told = Pace(event, now), now
        elif self._pace is not None:
            self._pace.observe(event, now)
            self._say_progress(self._pace, now)

    def _say_progress(self, pace: Pace, now: float) -> None:
        """Say how far the study is where no bar does, once in a while."""
        left = pace.left(now)
        if left is not None and not self._console.is_terminal and now - self._told >= _TELL_EVERY:
            self._told = now
            self._say(f"about {pace.share(now):.0%} of the steps are made, {_left(left)}")

    def _print(self, event: Event) -> None:
        match event:
            case CheckStarted() | Noted() | StudyEstimated():
                self._note(event)
            case StudyReady():
                self._ready(event)
            case TrialStarted():
                self._started(event)
            case RungReached():
                decision = "continues" if event.continues else "pauses" if event.waits else "stops"
                finite = math.isfinite(event.score)
                value = f"{event.score:.4g}{self._kind}" if finite else "is not finite"
                score = f"{self._monitor} {value}"
                after = f"after {counted(event.step, 'step')}"
                self._say(f"trial {event.number} {after}: {score}, {decision}")
            case TrialFailed():
                again = f"(attempt {event.attempt}), it runs again"
                self._say(f"trial {event.number} failed: {event.reason} {again}")
            case WorkersAwaited() | WorkerLost():
                self._workers(event)
            case TrialEnded():
                self._ended(event)

    def _note(self, event: CheckStarted | Noted | StudyEstimated) -> None:
        match event:
            case CheckStarted():
                self._say("checking the config ...")
            case Noted(line):
                self._say(line)
            case StudyEstimated(estimate):
                self._say("\n".join(report.estimate_lines(estimate)))

    def _workers(self, event: WorkersAwaited | WorkerLost) -> None:
        if isinstance(event, WorkersAwaited):
            self._next = "another one may come"
            place = f"they find the driver in {event.folder}"
            self._say(f"waits for workers: autolr worker CONFIG ({place})")
            return
        what = "" if event.number is None else f" at trial {event.number}"
        self._say(f"worker {event.worker} is gone{what}: {event.why}; {self._next}")

    def _started(self, event: TrialStarted) -> None:
        bracket = "" if event.bracket is None else f" in bracket {event.bracket}"
        begins = "starts again" if event.again else "starts"
        if event.promoted is not None:
            begins = f"is promoted after {counted(event.promoted, 'step')}"
        self._say(f"trial {event.number} {begins}{bracket}: {report.params_text(event.params)}")

    def _ready(self, event: StudyReady) -> None:
        tune = event.config.tune
        self._monitor = tune.monitor
        self._kind = "" if event.config.names_objective else " averaged"
        trials, steps = counted(tune.trials, "trial"), counted(event.run_steps, "step")
        self._say(
            f"study {tune.study!r} in {shown(tune.storage)}: {trials} of {steps}, "
            f"sampler {sampler_text(tune.sampler)}, results in {tune.folder}"
        )
        if event.hyperband is not None:
            self._console.print(report.brackets_table(event.hyperband.table()))
        if event.finished:
            are = "is" if event.finished == 1 else "are"
            self._say(f"{counted(event.finished, 'trial')} {are} already finished")
        for line in event.warnings:
            self._say(f"warning: {line}")
        if event.resumed:
            self._say(
                f"interrupted, to be resumed: {', '.join(f'trial {n}' for n in event.resumed)}"
            )
        self._bar.update(self._task, total=tune.trials, completed=event.finished, visible=True)

    def _ended(self, event: TrialEnded) -> None:
        trial = event.trial
        if trial.state == "FAIL":
            self._say(f"trial {trial.number} failed: {trial.attrs['reason']}")
            return
        self._bar.advance(self._task)
        if (twin := trial.attrs.get(study.SAME_AS)) is not None:
            self._say(f"trial {trial.number} is not trained: it has the candidate of trial {twin}")
            return
        price = f"{counted(trial.attrs['steps'], 'step')}, {trial.attrs.get('seconds', 0.0):.1f} s"
        if trial.value is None or not math.isfinite(trial.value):
            reason = f"{self._monitor} is not finite" if trial.diverged else trial.attrs["reason"]
            self._say(f"trial {trial.number} ends: {reason} ({price})")
            return
        best = ", the best so far" if event.best else ""
        metrics = {self._monitor: trial.value} | dict(trial.attrs["metrics"])
        shown = " ".join(f"{name} {value:.4g}" for name, value in metrics.items())
        self._say(f"trial {trial.number} ends: {shown} ({price}){best}")

    def _say(self, text: str) -> None:
        self._console.print(text, markup=False)


class _Left(ProgressColumn):
    """The share of the steps that are made and the time that is left, at each refresh anew."""

    def __init__(self, pace: Callable[[], Pace | None]) -> None:
        super().__init__()
        self._pace = pace

    @override
    def render(self, task: Task) -> Text:
        """Return the text; empty before the first rung."""
        pace, now = self._pace(), time.monotonic()
        left = None if pace is None else pace.left(now)
        if pace is None or left is None:
            return Text("")
        return Text(f"{pace.share(now):.0%} of the steps, {_left(left)}")


def _left(seconds: float) -> str:
    return f"about {report.time_text(round(seconds))} left"


def conclusion(result: TuneResult) -> Iterator[str | report.FittingTable]:
    """Yield the lines that end a study, with its best trials as a table."""
    tune = result.config.tune
    counts = result.counts
    if not result.complete:
        yield f"study {tune.study!r}: {counts}; the same command resumes it"
    else:
        nothing = "" if result.trained else ", nothing to train"
        over = f"; {result.over}" if result.over else ""
        yield f"study {tune.study!r} is complete: {counts}{over}{nothing}"
    if result.best:
        yield from _best(result)
    elif result.stopped:
        yield _only_stopped(result)
    elif result.complete:
        yield f"no trial has a finite {tune.monitor}: autolr show has the reasons"
    yield from _written(result)
    if result.best and can_be_fitted(result.config.fit):
        yield f"train it: autolr fit {quote(str(tune.folder / 'best.yaml'))}"
    if result.best:
        first = result.best[0]
        trained = study.repeatable(result.trials, tune.direction, first)
        if note := report.unrepeated(first, trained):
            yield f"trial {first.number}: {note}"


def _written(result: TuneResult) -> Iterator[str]:
    tune = result.config.tune
    for file in result.files:
        yield f"wrote {file}"
    leader = study.leader(result.trials, tune.direction)
    if leader is not None:
        for file in report.weights_of(tune.folder, leader):
            yield f"weights of the best trial: {file}"


def _only_stopped(result: TuneResult) -> str:
    tune, problem = result.config.tune, "no trial ran to its planned end"
    leader = study.leader(result.trials, tune.direction)
    if leader is None:
        return problem
    value = f"{tune.monitor} {leader.attrs[study.STOPPED_VALUE]:.4g}"
    return (
        f"{problem}: best.yaml is of trial {leader.number}, {value}, where {leader.attrs['reason']}"
    )


def _best(result: TuneResult) -> Iterator[str | report.FittingTable]:
    objective, monitor = result.config.tune.objective, result.config.tune.monitor
    if objective is not None:
        yield f"no other trial is better in both {' and '.join(objective)} than these:"
    shown = result.best if objective is not None else result.best[:_BEST]
    yield report.best_table(shown, monitor)
    first = result.best[0]
    yield f"best: trial {first.number}, {report.params_text(report.chosen(first))}"

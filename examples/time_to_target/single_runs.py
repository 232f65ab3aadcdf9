"""Methods that are one run of the plain loop, each used as its documentation recommends."""

import dataclasses
import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer

import autolr
from autolr.errors import DivergedError
from autolr.schedules import Schedule, cosine
from examples.time_to_target.loop import PROFILES, is_lost, train
from examples.time_to_target.outcome import Ledger, Outcome
from examples.time_to_target.tasks_base import Batches, Task

_CALIBRATION_BATCHES = 50  # as in the documentation of schedulefree


def adamw(task: Task) -> Outcome:
    """AdamW as torch has it, rate 1e-3, warm-up and cosine."""
    return once(task, AdamW(task.parameters(), lr=1e-3), PROFILES["cosine"])


def sgd(task: Task) -> Outcome:
    """SGD with momentum 0.9, rate 0.1, warm-up and cosine."""
    return once(task, SGD(task.parameters(), lr=0.1, momentum=0.9), PROFILES["cosine"])


def schedulefree(task: Task) -> Outcome:
    """AdamWScheduleFree at its defaults, rate 0.0025, no schedule.

    The loop calls the optimizer's ``train()`` and ``eval()``. Where the model has batch norm, 50
    batches go through it before each validation, so that its statistics are those of the averaged
    weights.

    Source: the README of schedulefree 1.4.1, "How to Use" and "Caveats".
    """
    from schedulefree import AdamWScheduleFree

    if _has_batch_norm(task.model):
        test = None if task.test is None else _calibrated(task, task.test)
        task = dataclasses.replace(task, validate=_calibrated(task, task.validate), test=test)
    return once(task, AdamWScheduleFree(task.parameters()), None)


def prodigy(task: Task) -> Outcome:
    """Prodigy at its defaults, rate 1, cosine without a warm-up.

    Source: the README of prodigyopt 1.1.2, "How to use" and "Scheduler".
    """
    from prodigyopt import Prodigy

    return once(task, Prodigy(task.parameters(), lr=1.0), cosine())


def dadaptation(task: Task) -> Outcome:
    """DAdaptAdam at its defaults, rate 1, the schedule that the problem usually has.

    Source: the README of dadaptation 3.2, "Details".
    """
    from dadaptation import DAdaptAdam

    return once(task, DAdaptAdam(task.parameters(), lr=1.0), PROFILES["cosine"])


def dog(task: Task) -> Outcome:
    """DoG at its defaults without a schedule; the polynomial-decay average is evaluated.

    With batch norm the first movement is 1e-4 in place of 1e-6.

    Source: the README of dog-optimizer 1.0.3, "Iterate averaging" and "Choosing reps_rel".
    """
    from dog import DoG, PolynomialDecayAverager

    movement = 1e-4 if _has_batch_norm(task.model) else 1e-6
    averager = PolynomialDecayAverager(task.model)
    averaged = dataclasses.replace(
        task,
        validate=lambda _: task.validate(averager.averaged_model),
        test=None if task.test is None else lambda _: task.tested(averager.averaged_model),
    )
    optimizer = DoG(task.parameters(), reps_rel=movement)
    return once(averaged, optimizer, None, after_step=averager.step)


def autolrs(task: Task) -> Outcome:
    """``autolr.search(strategy="autolrs")`` with the task's own optimizer.

    What it does and how that differs from the publication: see `autolr.online.AutoLRS`.
    """
    ledger, initial = Ledger(), task.validate(task.model)
    torch.manual_seed(task.seed)
    optimizer = task.make_optimizer(lr=1e-3)  # the search sets the rate
    learner = _Timed(ledger, task, optimizer)
    peak, final, test = math.nan, math.inf, math.nan
    with ledger.counting():
        try:
            peak = autolr.search(learner, task.steps, strategy="autolrs").run_peak
            final = ledger.watched(task).validate(task.model)
            test = task.tested(task.model)
        except DivergedError:
            pass
    return ledger.outcome(final, peak, task.steps, lost=is_lost(final, initial), test=test)


class _Timed(autolr.TorchLearner):
    """A learner over a task's batches that books the time of its steps."""

    def __init__(self, ledger: Ledger, task: Task, optimizer: Optimizer) -> None:
        super().__init__(task.model, optimizer, Batches(task), task.loss, clip=task.clip)
        self._ledger = ledger

    def train(self) -> Tensor:
        with self._ledger.busy():
            return super().train()


def once(
    task: Task,
    optimizer: Optimizer,
    schedule: Schedule | None,
    after_step: Callable[[], object] | None = None,
) -> Outcome:
    """Train once; the last validation pass is the only one that the method needs.

    Args:
        task: What to train.
        optimizer: Of its parameters.
        schedule: Of the optimizer's rate; None for a constant one, or what ``after_step`` does.
        after_step: Called after each step.
    """
    peak, ledger = float(optimizer.param_groups[0]["lr"]), Ledger()
    with ledger.counting():
        run = train(task, optimizer, schedule, after_step=after_step)
    if hasattr(optimizer, "eval"):  # of schedulefree: the weights that are evaluated
        optimizer.eval()
    return Outcome(
        final=run.final,
        peak=peak,
        total_steps=ledger.steps,
        trained_steps=run.steps,
        validation_passes=1,
        seconds=run.seconds,
        busy_seconds=run.training_seconds,
        diverged=run.diverged,
        test=math.nan if run.diverged else task.tested(task.model),
    )


def _has_batch_norm(model: nn.Module) -> bool:
    return any(isinstance(part, nn.modules.batchnorm._BatchNorm) for part in model.modules())


def _calibrated(task: Task, score: Callable[[nn.Module], float]) -> Callable[[nn.Module], float]:
    """Return a score of the task's model with the statistics of batch norm renewed before."""

    def calibrated(model: nn.Module) -> float:
        model.train()
        with torch.no_grad():
            for i in range(_CALIBRATION_BATCHES):
                task.training_loss(task.batch(i), i)
        model.eval()
        return score(model)

    return calibrated

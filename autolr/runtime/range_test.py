"""The range test of a plain PyTorch run: its loss at rates that grow from step to step."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from autolr.errors import ConfigError, UnsupportedError
from autolr.online.sweep import Sweep
from autolr.result.range_test import RangeTestResult
from autolr.runtime.loaders import drawn_aside, kept_generators_of
from autolr.runtime.rates import Rates
from autolr.runtime.scan import loss_of_step
from autolr.runtime.snapshot import Snapshot
from autolr.runtime.step_context import StepContext
from autolr.runtime.torch_learner import TorchLearner


def range_test(
    model: nn.Module,
    optimizer: Optimizer,
    batches: Iterable[Any],
    loss: Callable[[nn.Module, Any], Tensor],
    *,
    lowest: float = 1e-6,
    highest: float = 100.0,
    steps: int = 100,
    clip: float | None = None,
) -> RangeTestResult:
    """Train a copy at a rate that grows from step to step; return its losses and a suggestion.

    Afterwards the model, the optimizer, every global random generator and those of a loader are as
    they were, bit for bit. Batches are drawn from a new iterator: draws of other generators of
    the data, and what the loss function changes itself, stay. The rates of several groups keep
    their ratios, and the highest is the one that grows. The test ends early where the smoothed
    loss is 4 times its lowest value or not finite.

    `search` finds the rate in the run itself, and finds a better one: see ``docs/diagnostics.md``.

    Args:
        model: The model, in training mode.
        optimizer: Its optimizer.
        batches: Batches of any kind, iterated again when they run out: a loader or a list, not an
            iterator, whose batches would be missing in the run.
        loss: ``loss(model, batch)`` returns a scalar tensor.
        lowest: Rate of the first step.
        highest: Rate of the last step.
        steps: Optimizer steps at most; each has a rate of its own.
        clip: Largest norm of the gradient, None for no clipping.

    Raises:
        ConfigError: If a setting cannot work.
        UnsupportedError: If a step returns no loss.

    Source: Smith 2017, arXiv:1506.01186, section 3.3; here the rates grow geometrically.
    """
    sweep = Sweep(lowest, highest, steps)
    if isinstance(batches, Iterator):
        raise ConfigError.of("batches", batches, "a loader or a list, which can be iterated again")
    with ExitStack() as kept:
        kept.enter_context(kept_generators_of(batches))
        learner = TorchLearner(model, optimizer, _Aside(batches), loss, clip=clip)
        before = StepContext.capture(optimizer)
        kept.callback(before.restore)
        copy, rates = Snapshot(model, optimizer), Rates.of(optimizer)
        kept.callback(rates.detach)
        kept.enter_context(copy.in_place())
        while (rate := sweep.rate) is not None:
            learner.next_batch()
            first = not sweep.losses
            sweep = swept(sweep, learner, rates, rate / rates.base, raises=first)
    return RangeTestResult(sweep)


def swept(
    sweep: Sweep, learner: Any, rates: Rates, factor: float, *, raises: bool = False
) -> Sweep:
    """Return a test with the loss of one more step, made on the state in place.

    Args:
        sweep: The test so far.
        learner: The run, a `Learner`.
        rates: The rates of its optimizer.
        factor: What they are multiplied by.
        raises: Whether an error of the user's code is raised.

    Raises:
        UnsupportedError: If the step returns no loss.
    """
    with rates.multiplied(factor):
        loss = loss_of_step(learner, raises=raises)
    if loss is None:
        raise UnsupportedError("a range test reads the training loss, and a step returned none")
    return sweep.observe(loss)


class _Aside:
    """Batches that are drawn without starting the iterator that a loader keeps for the run."""

    def __init__(self, batches: Any) -> None:
        self._batches = batches

    def __iter__(self) -> Iterator[Any]:
        return drawn_aside(self._batches)

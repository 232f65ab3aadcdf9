"""One step with many states: in one pass where that is equal and pays, else one by one."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from autolr.errors import ConfigError
from autolr.runtime.flat import CannotStackError
from autolr.runtime.learner import Learner
from autolr.runtime.rates import Rates
from autolr.runtime.snapshot import Snapshot
from autolr.runtime.stacked import Stack, StackableLearner
from autolr.runtime.step_context import StepContext

# Measured by examples/time_to_target/micro.py on one core: where a stack no longer wins.
_FEWEST = 3  # states
_MANY = 8  # states; twice as fast and more: worth a replay that is equal up to rounding only
_MOST_PARAMETERS = 100_000
_MOST_FLOPS = 50e6  # of one state's forward and backward pass
_TOLERANCE = 1e-4  # of a gradient, relative; float32 sums differ by 1e-6, a wrong mask by 1e-1

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Means:
    """How rivals are trained, where there is a choice.

    Attributes:
        stack: Whether rivals may be trained in one pass: their states are then those of training
            one by one up to rounding, else bit for bit. True: wherever it is faster, from three
            on. None: from eight on, or from three that are thrown away after their score.
        ranks: What several ranks do: "together" all train all rivals, "apart" each trains its own,
            see `Apart`.
        say: Called with one line when it has been decided whether to stack.

    Raises:
        ConfigError: If ``ranks`` is neither.
    """

    stack: bool | None = None
    ranks: str = "together"
    say: Callable[[str], None] = _log.info

    def __post_init__(self) -> None:
        if self.ranks not in ("together", "apart"):
            raise ConfigError.of("ranks", self.ranks, "'together' or 'apart'")


USUAL = Means()


class Stepper:
    """Repeats a training step with the states of several snapshots.

    The first step decides how: all states are trained one by one, and a stack of them beside it
    has to find the same gradients. From then on the stack is used, unless it cannot be or would
    not pay; which of the two is said once. The choice rests on counts alone, never on a clock.

    Args:
        learner: The run.
        rates: The rates of its optimizer.
        means: Whether states may be stacked at all.
    """

    def __init__(self, learner: Learner, rates: Rates, means: Means) -> None:
        self._learner = learner
        self._rates = rates
        self._say = means.say
        self._stack: Stack | None = None
        self._tried = False
        self._one_by_one = means.stack is False
        self._rounded = means.stack is True  # whether the run is no longer exact, or need not be

    def state_dict(self) -> dict[str, bool]:
        """Return what has been decided, for `load_state_dict`."""
        return {
            "tried": self._tried,
            "one_by_one": self._one_by_one,
            "rounded": self._rounded,
        }

    def load_state_dict(self, state: Mapping[str, bool]) -> None:
        """Step as another stepper had decided to, if this one may."""
        self._tried = state["tried"]
        self._one_by_one |= state["one_by_one"]
        self._rounded |= state.get("rounded", False)

    def step(
        self,
        snapshots: Sequence[Snapshot],
        factors: Sequence[float],
        before: StepContext,
        *,
        stepped: bool,
        kept: bool = True,
    ) -> list[Tensor | None]:
        """Train every snapshot's state on the present batch; return the losses.

        Args:
            snapshots: The states; but for their weights out of date until `settle`.
            factors: What the rates of each are multiplied with.
            before: What the live run's step began with; not put back after.
            stepped: Whether the optimizer steps.
            kept: Whether one of the states may become the run's.
        """
        fewest = _MANY if kept and not self._rounded else _FEWEST
        if stepped and not self._one_by_one and len(snapshots) >= fewest:
            try:
                losses = self._together(snapshots, factors, before)
                self._rounded |= kept and not self._one_by_one
                return losses
            except CannotStackError as error:
                self._choose_one_by_one(str(error))
        self.settle()
        return self._apart(snapshots, factors, before)

    def settle(self) -> None:
        """Bring all snapshots up to date."""
        if self._stack is not None:
            self._stack.unstack()
            self._stack = None

    def _together(
        self, snapshots: Sequence[Snapshot], factors: Sequence[float], before: StepContext
    ) -> list[Tensor | None]:
        if not self._tried:
            return self._try(snapshots, factors, before)
        if self._stack is None or self._stack.snapshots != list(snapshots):
            self.settle()
            self._stack = self._stacked(snapshots)
        before.restore()
        return [*self._stack.train(factors)]

    def _try(
        self, snapshots: Sequence[Snapshot], factors: Sequence[float], before: StepContext
    ) -> list[Tensor | None]:
        """Train one by one, and let a stack show that it would have done the same."""
        stack = self._stacked(snapshots)
        if (flops := stack.count_flops()) > _MOST_FLOPS:
            raise CannotStackError(f"a step of {flops:.1e} operations gains nothing from it")
        before.restore()
        stack.find_gradients()
        losses = self._apart(snapshots, factors, before)
        self._tried = True
        error = stack.largest_error()
        if error < _TOLERANCE:
            self._say(f"AutoLR: probes are trained together, {len(snapshots)} in one pass")
        else:
            self._choose_one_by_one(f"together, their gradients differ by {error:.1e}")
        return losses

    def _stacked(self, snapshots: Sequence[Snapshot]) -> Stack:
        if not isinstance(self._learner, StackableLearner):
            raise CannotStackError(f"{type(self._learner).__name__} has no parts of a step")
        if self._learner.extras:
            raise CannotStackError("gradients are scaled")
        if found := self._learner.obstacle() or _obstacle(self._learner.model):
            raise CannotStackError(found)
        return Stack(self._learner, self._rates, snapshots)

    def _choose_one_by_one(self, reason: str) -> None:
        self._one_by_one = True
        self._say(f"AutoLR: probes are trained one by one: {reason}")

    def _apart(
        self, snapshots: Sequence[Snapshot], factors: Sequence[float], before: StepContext
    ) -> list[Tensor | None]:
        losses = []
        for snapshot, factor in zip(snapshots, factors, strict=True):
            before.restore()
            with snapshot.in_place(), self._rates.multiplied(factor):
                losses.append(self._learner.train())
        return losses


def _obstacle(model: nn.Module) -> str | None:
    """Return what is plain to see against stacking a model."""
    parameters = list(model.parameters())
    size = sum(parameter.numel() for parameter in parameters)
    if size > _MOST_PARAMETERS:
        return f"{size} parameters gain nothing from it"
    if any(isinstance(module, _ConvNd) for module in model.modules()):
        return "convolutions gain nothing from it"
    if any(_has_hooks(module) for module in model.modules()):
        return "a module has hooks"
    if any(p._backward_hooks or p._post_accumulate_grad_hooks for p in parameters):
        return "a parameter has hooks"
    return None


def _has_hooks(module: nn.Module) -> bool:
    return bool(
        module._forward_hooks
        or module._forward_pre_hooks
        or module._backward_hooks
        or module._backward_pre_hooks
    )

"""What a step depends on besides the state that it trains."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.optim import Optimizer

from autolr.rng import RngState
from autolr.runtime.applied_rate import TensorRecord, record_of, remember
from autolr.runtime.optimizer_groups import OF_THE_RUN

_Written = tuple[Any, Tensor | None, TensorRecord | None]


@dataclass(frozen=True, slots=True)
class StepContext:
    """The generators, and what schedulers have written into an optimizer's groups, at one step.

    A scheduler may move on before the step has been repeated for a rival: the step is repeated
    with the rates, momenta and decays that the run itself stepped with.

    Attributes:
        generators: The states of the random generators.
        groups: What stands in the groups.
    """

    generators: RngState
    groups: "WrittenGroups"

    @classmethod
    def capture(cls, optimizer: Optimizer) -> "StepContext":
        """Return the context of the present step."""
        return cls(RngState.capture(), WrittenGroups.capture(optimizer))

    def restore(self) -> None:
        """Restore generators and groups."""
        self.generators.restore()
        self.groups.restore()


@dataclass(frozen=True, slots=True)
class WrittenGroups:
    """What schedulers and other code have written into an optimizer's groups.

    Attributes:
        groups: Each group with its entries that belong to the run: the object, and if it is a
            tensor, which may be written in place, a copy of its value and from what it was
            multiplied.
    """

    groups: tuple[tuple[dict[str, Any], dict[str, _Written]], ...]

    @classmethod
    def capture(cls, optimizer: Optimizer) -> "WrittenGroups":
        """Return what stands in the groups now."""
        return cls(tuple((group, _written(group)) for group in optimizer.param_groups))

    def restore(self) -> None:
        """Put it back."""
        for group, written in self.groups:
            for name, (value, copy, record) in written.items():
                group[name] = value
                if copy is not None:
                    remember(value.copy_(copy), record)


def _written(group: dict[str, Any]) -> dict[str, _Written]:
    return {
        name: (value, value.clone(), record_of(value))
        if isinstance(value, Tensor)
        else (value, None, None)
        for name, value in group.items()
        if name in OF_THE_RUN and name != "params"
    }

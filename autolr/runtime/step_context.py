"""What a step depends on besides the state that it trains."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.optim import Optimizer

from autolr.rng import RngState
from autolr.runtime.optimizer_groups import OF_THE_RUN


@dataclass(frozen=True, slots=True)
class StepContext:
    """The generators, and what schedulers have written into an optimizer's groups, at one step.

    A scheduler may move on before the step has been repeated for a rival: the step is repeated
    with the rates, momenta and decays that the run itself stepped with.

    Attributes:
        generators: The states of the random generators.
        groups: Each group with its entries that belong to the run: the object, and a copy of its
            value if it is a tensor, which may be written in place.
    """

    generators: RngState
    groups: tuple[tuple[dict[str, Any], dict[str, tuple[Any, Tensor | None]]], ...]

    @classmethod
    def capture(cls, optimizer: Optimizer) -> "StepContext":
        """Return the context of the present step."""
        groups = tuple((group, _written(group)) for group in optimizer.param_groups)
        return cls(RngState.capture(), groups)

    def restore(self) -> None:
        """Restore generators and groups."""
        self.generators.restore()
        for group, written in self.groups:
            for name, (value, copy) in written.items():
                group[name] = value if copy is None else value.copy_(copy)


def _written(group: dict[str, Any]) -> dict[str, tuple[Any, Tensor | None]]:
    return {
        name: (value, value.clone() if isinstance(value, Tensor) else None)
        for name, value in group.items()
        if name in OF_THE_RUN and name != "params"
    }

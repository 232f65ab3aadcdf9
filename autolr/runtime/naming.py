"""Names of the parameters and buffers of a run, for values that are kept by identity."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn
from torch.optim import Optimizer

from autolr.runtime.compiled import written_name
from autolr.runtime.exchange import joined
from autolr.runtime.structure import Slot, all_parameters, parameters_of

if TYPE_CHECKING:
    from autolr.runtime.learner import Learner

_OF_OPTIMIZER = "in the optimizer alone: "  # parameters of no module, by their number


class Names:
    """Names parameters and buffers as they are in place now; the same in each process.

    Args:
        model: The model.
        optimizer: Its optimizer.
    """

    def __init__(self, model: nn.Module, optimizer: Optimizer) -> None:
        self._names: dict[Any, str] = {}
        for index, parameter in enumerate(parameters_of(optimizer)):
            self._names[parameter] = f"{_OF_OPTIMIZER}{index}"
        named = model.named_parameters()
        self._names |= {parameter: written_name(name) for name, parameter in named}
        self._tensors = {name: parameter for parameter, name in self._names.items()}
        self._modules = {written_name(path): module for path, module in model.named_modules()}
        self._paths = {module: path for path, module in self._modules.items()}

    def by_name(self, values: Mapping[Any, Any]) -> dict[str, Any]:
        """Return values by the names of their parameters; of others only under text keys."""
        named = {p: name for p, name in self._names.items() if p in values}
        kept = {key: value for key, value in values.items() if isinstance(key, str)}
        return kept | {name: values[p] for p, name in named.items()}

    def by_tensor(self, values: Mapping[str, Any]) -> dict[Any, Any]:
        """Return what `by_name` has named, by parameter; shards are distributed as that is."""
        keyed = {self._tensors.get(name, name): value for name, value in values.items()}
        return {key: joined(value, key) for key, value in keyed.items()}

    def by_slot_name(self, values: Mapping[Slot, Any]) -> dict[str, Any]:
        """Return values by the names of their buffers."""
        return {
            f"{self._paths[module]}.{name}": value
            for (module, name), value in values.items()
            if module in self._paths
        }

    def by_slot(self, values: Mapping[str, Any]) -> dict[Slot, Any]:
        """Return what `by_slot_name` has named, by place; of modules that are gone nothing."""
        paths = {name: name.rpartition(".") for name in values}
        return {
            (self._modules[path], own): values[name]
            for name, (path, _, own) in paths.items()
            if path in self._modules
        }


def gradients_of(learner: "Learner") -> dict[str, Tensor]:
    """Return the gradients of the state in place that wait for a step, by name.

    Args:
        learner: The run.
    """
    model, optimizer = learner.model, learner.optimizer
    gradients = {p: p.grad for p in all_parameters(model, optimizer) if p.grad is not None}
    return Names(model, optimizer).by_name(gradients)


def set_gradients(learner: "Learner", gradients: Mapping[str, Tensor]) -> None:
    """Put gradients into place again.

    Args:
        learner: The run.
        gradients: What `gradients_of` returned.
    """
    model, optimizer = learner.model, learner.optimizer
    named = Names(model, optimizer).by_tensor(gradients)
    for parameter in all_parameters(model, optimizer):
        parameter.grad = named.get(parameter)

"""What a model and its optimizer consist of, compared by identity."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from torch import Tensor, nn
from torch.optim import Optimizer

from autolr.runtime.exchange import local
from autolr.runtime.model_tensors import modules_of

Slot: TypeAlias = tuple[nn.Module, str]
"""Where a module holds a buffer. A module may bind another tensor to the name at any step."""


@dataclass(frozen=True, eq=False, slots=True)
class Structure:
    """The parameters of a model by the place where a module holds them, and the groups.

    Two structures are compared by the identity of their objects. Each holds these, so that none
    is freed and its identity used again.

    Attributes:
        modules: All modules, by identity.
        places: The parameters, by module and name.
        buffers: The names of the buffers, by module; a name may hold no tensor yet.
        masks: The masks of pruned parameters, by module and name: each pruning makes new ones.
        groups: The parameters of each group of the optimizer.
    """

    modules: Mapping[int, nn.Module]
    places: Mapping[tuple[int, str], nn.Parameter]
    buffers: Mapping[int, tuple[str, ...]]
    masks: Mapping[tuple[int, str], Tensor | None]
    groups: tuple[tuple[Tensor, ...], ...]
    _key: Any

    @classmethod
    def of(cls, model: nn.Module, optimizer: Optimizer) -> "Structure":
        """Return the present structure.

        Args:
            model: The model; a module that it holds in several places counts once.
            optimizer: Its optimizer. Parameters in its groups that are not the model's are in
                ``groups`` only.
        """
        modules = {id(module): module for module in modules_of(model)}
        places = {
            (id(module), name): parameter
            for module in modules.values()
            if module._parameters
            for name, parameter in module._parameters.items()
            if parameter is not None
        }
        buffers = {id(m): tuple(m._buffers) for m in modules.values() if m._buffers}
        masks = {
            (module, name): modules[module]._buffers[name]
            for module, names in buffers.items()
            for name in names
            if f"{name.removesuffix('_mask')}_orig" in modules[module]._parameters
        }
        groups = tuple(tuple(group["params"]) for group in optimizer.param_groups)
        identities = [(place, id(parameter)) for place, parameter in places.items()]
        members = [tuple(map(id, group)) for group in groups]
        key = identities, buffers, [(place, id(mask)) for place, mask in masks.items()], members
        return cls(modules, places, buffers, masks, groups, key)

    def same_as(self, other: "Structure") -> bool:
        """Whether both consist of the very same objects, in the same places."""
        return bool(self._key == other._key)

    def lost(self, later: "Structure") -> str | None:
        """Return the parameter or mask that a module of both structures has lost; None if none.

        What takes the place of a weight that is pruned, parametrized or resized has been computed
        from the weights of the state in place, and of that state alone.

        Args:
            later: A structure of the same model.
        """
        for (module, name), parameter in self.places.items():
            if module in later.modules and later.places.get((module, name)) is not parameter:
                return f"{type(self.modules[module]).__name__}.{name}"
        for (module, name), mask in self.masks.items():
            if module in later.modules and later.masks.get((module, name)) is not mask:
                return f"{type(self.modules[module]).__name__}.{name}"
        return None

    def new_buffers(self, later: "Structure") -> list[Slot]:
        """Return the places of buffers that are only in a later structure."""
        return [
            (later.modules[module], name)
            for module, names in later.buffers.items()
            for name in names
            if name not in self.buffers.get(module, ())
        ]


def all_parameters(model: nn.Module, optimizer: Optimizer) -> dict[Tensor, None]:
    """Return the parameters of a model and those that only its optimizer has, each once.

    Args:
        model: The model; frozen parameters of it are among them.
        optimizer: Its optimizer.

    Returns:
        The parameters as keys, a set that keeps its order: the model's first, by module.
    """
    parameters: dict[Tensor, None] = {}
    for module in modules_of(model):
        if module._parameters:
            parameters |= {p: None for p in module._parameters.values() if p is not None}
    return parameters | dict.fromkeys(parameters_of(optimizer))


def trainable_parameters(model: nn.Module, optimizer: Optimizer) -> list[Tensor]:
    """Return the parameters that a step trains: they require a gradient, and are in a group.

    Args:
        model: The model.
        optimizer: Its optimizer; what only its groups hold counts too.

    Returns:
        Each parameter once, in the order of `all_parameters`.
    """
    stepped = set(parameters_of(optimizer))
    everything = all_parameters(model, optimizer)
    return [p for p in everything if p.requires_grad and p in stepped]


def is_trained_finite(model: nn.Module, optimizer: Optimizer) -> bool:
    """Return whether no parameter that a step trains is NaN or infinite; it waits for the device.

    Of what is sharded it looks at the part of this process: others may have another answer.

    Args:
        model: The model.
        optimizer: Its optimizer.
    """
    trained = map(local, trainable_parameters(model, optimizer))
    return all(bool(part.isfinite().all()) for part in trained)


def buffer_slots(model: nn.Module) -> list[Slot]:
    """Return where the modules of a model hold their buffers."""
    return [(module, name) for module in modules_of(model) for name in module._buffers]


def parameters_of(optimizer: Optimizer) -> list[Tensor]:
    """Return the parameters of all groups in their order."""
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def keyed_groups(optimizer: Optimizer) -> dict[Any, dict[str, Any]]:
    """Return the groups by what identifies each, also where another dictionary takes its place.

    It is the first parameter. No two groups of one optimizer share one; of several optimizers, or
    of groups without parameters, those after the first have a number beside it.

    Args:
        optimizer: The optimizer.
    """
    keyed: dict[Any, dict[str, Any]] = {}
    for group in optimizer.param_groups:
        key = first = next(iter(group["params"]), None)
        number = 1
        while key in keyed:
            key, number = (first, number), number + 1
        keyed[key] = group
    return keyed

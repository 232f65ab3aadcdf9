"""Objects that a model and its optimizer hold, each with its name.

Beside weights and buffers a module may keep an environment, a memory, a second network that is
hidden in a list; an optimizer may keep an inner one. They are found by what refers to them.
"""

import copy
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from autolr.runtime.attribute_access import attributes_of, slot_values
from autolr.runtime.attribute_values import ATOMS, IS_PLAIN, is_leaf
from autolr.runtime.joint_optimizer import parts_of
from autolr.runtime.model_tensors import modules_of, tensors_of
from autolr.runtime.shared_kinds import IS_SHARED, SLOTS_OF

_OF_MODULES = frozenset(nn.Module().__dict__)
_ITERATED = (list, tuple, deque, set, frozenset)


@dataclass(frozen=True, slots=True)
class Holder:
    """An object whose attributes are state.

    Attributes:
        owner: The object.
        is_foreign: Whether an attribute of that name is not its own state.
    """

    owner: Any
    is_foreign: Callable[[str], bool]

    def fields(self) -> dict[str, Any]:
        """Return the attributes by name."""
        present = attributes_of(self.owner)
        own = {name: value for name, value in present.items() if not self.is_foreign(name)}
        return own | slot_values(self.owner, SLOTS_OF[type(self.owner)] or ())

    def replace(self, fields: Mapping[str, Any]) -> None:
        """Set these attributes, and delete others that `fields` returns."""
        slots = SLOTS_OF[type(self.owner)] or ()
        present = attributes_of(self.owner)
        for name in self.fields().keys() - fields.keys():
            if name in slots:
                object.__delattr__(self.owner, name)
            else:
                del present[name]
        for name, value in fields.items():
            if name in slots:
                object.__setattr__(self.owner, name, value)
            else:
                present[name] = value


class HeldObjects:
    """What a model and its optimizer refer to.

    Args:
        model: The model.
        optimizer: Its optimizer, if what it holds counts too.
        others: Other objects whose attributes count, by name.

    Attributes:
        known: What is no copy's own, by id: weights, buffers, modules, the optimizer's groups.
        holders: By name, the modules that are not torch's, the optimizer, and objects with
            attributes. The name of the model itself is empty.
        modules: How many of the first holders are modules of the model.
        leaves: By name, tensors that are trained by reference and are not the model's, such as the
            weights of a network in a list.
        uncopied: By name, the types of objects that cannot be copied.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: Optimizer | None = None,
        others: Mapping[str, object] | None = None,
    ) -> None:
        self.known = _known(model, optimizer)
        self.holders: dict[str, Holder] = {}
        self.leaves: dict[str, Tensor] = {}
        self.uncopied: dict[str, str] = {}
        self._seen: set[int] = set()
        for name, module in model.named_modules():
            if not _is_torchs(module):
                self.holders[name] = Holder(module, _is_of_modules)
        self.modules = len(self.holders)
        self.holders |= {n: Holder(one, _foreign_names_of(one)) for n, one in _named(optimizer)}
        self.holders |= {n: Holder(other, _is_of_none) for n, other in (others or {}).items()}
        for name, holder in list(self.holders.items()):
            self._walk_fields(name, holder)

    def _walk_fields(self, name: str, holder: Holder) -> None:
        for field, value in holder.fields().items():
            self._walk(f"{name}.{field}" if name else field, value)

    def _walk(self, name: str, value: Any) -> None:
        if type(value) in ATOMS or id(value) in self._seen or id(value) in self.known:
            return
        self._seen.add(id(value))
        if isinstance(value, Tensor):
            if is_leaf(value):
                self.leaves[name] = value
        elif IS_PLAIN[type(value)]:
            for key, item in _items(value):
                if type(item) not in ATOMS:  # of a vocabulary, say
                    self._walk(f"{name}[{key!r}]", item)
        elif not IS_SHARED[type(value)]:
            self._walk_object(name, value)

    def _walk_object(self, name: str, value: Any) -> None:
        if SLOTS_OF[type(value)] is None:
            try:
                copy.deepcopy(value, dict(self.known))
            except Exception:  # of a class that we do not know
                self.uncopied[name] = type(value).__name__
            return
        self.holders[name] = holder = Holder(value, _foreign_names_of(value))
        self._walk_fields(name, holder)
        if isinstance(value, nn.Module):  # it is hidden from the model
            for part in (value._parameters, value._modules):
                for key, item in part.items():
                    self._walk(f"{name}.{key}", item)


def _named(optimizer: Optimizer | None) -> list[tuple[str, Optimizer]]:
    """Return an optimizer, or each behind a view of several, with its name."""
    if optimizer is None:
        return []
    first, *others = parts_of(optimizer)
    return [("optimizer", first), *((f"optimizer {i}", one) for i, one in enumerate(others, 1))]


def _foreign_names_of(value: Any) -> Callable[[str], bool]:
    if isinstance(value, nn.Module):
        return _is_of_hidden_modules
    if not isinstance(value, Optimizer):
        return _is_of_none
    return _is_of_torchs_optimizers if _is_torchs(value) else _is_of_optimizers


def _is_of_modules(name: str) -> bool:
    return name in _OF_MODULES


def _is_of_hidden_modules(name: str) -> bool:
    return name in _OF_MODULES and name != "_buffers"


def _is_of_optimizers(name: str) -> bool:
    """Whether an attribute belongs to torch: hooks, which others attach and remove."""
    return name.startswith(("_optimizer_", "_zero_grad_"))


def _is_of_torchs_optimizers(name: str) -> bool:
    """Whether an attribute is not part of what an optimizer of torch itself computes with."""
    return name not in ("state", "param_groups")


def _is_of_none(name: str) -> bool:
    return False


def _is_torchs(value: object) -> bool:
    return type(value).__module__.startswith("torch.")


def _items(value: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(value, dict):
        yield from list(value.items())
    elif isinstance(value, _ITERATED):
        yield from enumerate(list(value))


def _known(model: nn.Module, optimizer: Optimizer | None) -> dict[int, Any]:
    parameters, buffers = tensors_of(model)
    known: list[Any] = [*parameters, *buffers, *modules_of(model)]
    for _, part in _named(optimizer):
        groups = part.param_groups
        members = [group["params"] for group in groups]
        known += [part, part.state, groups, *groups, *members]
        known += [parameter for params in members for parameter in params]
    return {id(one): one for one in known}

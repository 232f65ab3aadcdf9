"""Objects that a model and its optimizer hold, each with its name.

Beside weights and buffers a module may keep an environment, a memory, a second network that is
hidden in a list; an optimizer may keep an inner one. They are found by what refers to them.
"""

import copy
import functools
import types
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from autolr.runtime.attribute_access import attributes_of
from autolr.runtime.attribute_values import ATOMS, IS_PLAIN, is_leaf
from autolr.runtime.holders import Closure, Holder, Method
from autolr.runtime.joint_optimizer import parts_of
from autolr.runtime.model_tensors import modules_of, tensors_of
from autolr.runtime.shared_kinds import IS_SHARED, SLOTS_OF

_OF_MODULES = frozenset(nn.Module().__dict__)
_ITERATED = (list, tuple, deque, set, frozenset)
_CALLED = (functools.partial, types.FunctionType, types.MethodType, types.BuiltinMethodType)


class HeldObjects:
    """What a model and its optimizer refer to.

    Args:
        model: The model.
        optimizer: Its optimizer, if what it holds counts too.
        others: Other objects whose attributes count, by name.
        whole: Whether torch's own modules are holders too, and variables of functions and
            attributes of containers count: copies of a run share these, which costs it no step.

    Attributes:
        known: What is no copy's own, by id: weights, buffers, modules, the optimizer's groups.
        holders: By name, the modules that are not torch's, the optimizer, and objects with
            attributes. The name of the model itself is empty.
        modules: How many of the first holders are modules of the model.
        leaves: By name, tensors that are trained by reference and are not the model's, such as the
            weights of a network in a list.
        tensors: By name, all others.
        opaque: By name, objects whose attributes are not all of their state.
        uncopied: By name, the types of those that cannot be copied.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: Optimizer | None = None,
        others: Mapping[str, object] | None = None,
        *,
        whole: bool = False,
    ) -> None:
        self.known = _known(model, optimizer)
        self.holders: dict[str, Holder] = {}
        self.leaves: dict[str, Tensor] = {}
        self.tensors: dict[str, Tensor] = {}
        self.opaque: dict[str, Any] = {}
        self.uncopied: dict[str, str] = {}
        self._whole = whole
        self._seen: set[int] = set()
        torchs: dict[str, Holder] = {}
        for name, module in model.named_modules():
            of = torchs if is_torchs(module) else self.holders
            of[name] = Holder(module, _is_of_modules)
        self.modules = len(self.holders)
        self.holders |= {n: Holder(one, _foreign_names_of(one)) for n, one in _named(optimizer)}
        self.holders |= {n: Holder(other, _is_of_none) for n, other in (others or {}).items()}
        self.holders |= torchs if whole else {}
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
            of = self.leaves if is_leaf(value) else self.tensors
            of[name] = value
        elif IS_PLAIN[type(value)]:
            self._walk_plain(name, value)
        elif self._whole and isinstance(value, _CALLED):
            self._walk_function(name, value)
        elif not IS_SHARED[type(value)]:
            self._walk_object(name, value)

    def _walk_plain(self, name: str, value: Any) -> None:
        if self._whole and type(value).__dictoffset__ != 0:
            self._hold(name, Holder(value, _is_of_none))
        for key, item in _items(value):
            if type(item) not in ATOMS:  # of a vocabulary, say
                self._walk(f"{name}[{key!r}]", item)

    def _walk_function(self, name: str, value: Any) -> None:
        if isinstance(value, functools.partial):
            self._walk(f"{name}.func", value.func)
            self._walk(f"{name}.args", value.args)
            self._walk(f"{name}.keywords", value.keywords)
        elif isinstance(value, types.FunctionType):
            self._hold(name, Closure(value, _is_of_none))
            self._hold(f"{name}.__dict__", Holder(value, _is_of_none))
        elif not isinstance(value.__self__, types.ModuleType | type):
            self._hold(name, Method(value, _is_of_none))

    def _hold(self, name: str, holder: Holder) -> None:
        self.holders[name] = holder
        self._walk_fields(name, holder)

    def _walk_object(self, name: str, value: Any) -> None:
        if SLOTS_OF[type(value)] is None:
            self.opaque[name] = value
            try:
                copy.deepcopy(value, dict(self.known))
            except Exception:  # of a class that we do not know
                self.uncopied[name] = type(value).__name__
            return
        self._hold(name, Holder(value, _foreign_names_of(value)))
        if isinstance(value, nn.Module):  # it is hidden from the model
            for part in (value._parameters, value._modules):
                for key, item in part.items():
                    self._walk(f"{name}.{key}", item)


def is_torchs(value: object) -> bool:
    """Return whether an object is of a class of torch's own."""
    return type(value).__module__.startswith("torch.")


def is_metric(value: object) -> bool:
    """Return whether an object is a metric of torchmetrics."""
    return "_update_count" in attributes_of(value)


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
    return _is_of_torchs_optimizers if is_torchs(value) else _is_of_optimizers


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

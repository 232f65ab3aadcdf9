"""Objects that a run and its copies share, and those that are copied as a whole.

A module holds more than its own state: the Trainer, its data, functions, loggers. Copies of the
run share these. Of what is left, most objects have attributes. One that has none, such as an
iterator, is opaque: only `copy.deepcopy` knows whether it can be copied.
"""

import enum
import functools
import logging
import re
import types
import weakref
from pathlib import PurePath
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler
from torch.utils.data import DataLoader, Dataset, Sampler

_SHARED: tuple[type, ...] = (
    *(type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.MethodType),
    *(types.GenericAlias, types.EllipsisType, types.NotImplementedType, types.MethodWrapperType),
    *(functools.partial, property, range, slice, re.Pattern, PurePath, enum.Enum, logging.Logger),
    *(
        torch.finfo,
        torch.iinfo,
        weakref.ReferenceType,
        torch.dtype,
        torch.device,
        torch.layout,
        torch.memory_format,
    ),
    *(DataLoader, Dataset, Sampler, types.MappingProxyType),
    LRScheduler,  # the Trainer steps it once for all
    *(type({}.keys()), type({}.values()), type({}.items())),
)

# Packages whose objects surround a run; and tables and tokenizers, which no step changes and which
# take up to a second to copy.
_PACKAGES = frozenset(
    {
        *("lightning", "pytorch_lightning", "lightning_fabric", "lightning_utilities"),
        *("autolr", "tokenizers", "sentencepiece", "datasets", "pyarrow"),
    }
)

_PYTHON = 1 << 9  # the flag of classes that Python code defines: Py_TPFLAGS_HEAPTYPE

_OPEN = (object, types.SimpleNamespace)  # of C, and attributes are all that there is

# Of torch itself: devices, processes, compiled code.
_PARTS_OF_TORCH = (
    *("torch._C", "torch.cuda", "torch.distributed", "torch.profiler", "torch.jit"),
    *("torch._dynamo", "torch._inductor", "torch._functorch", "torch.fx"),
)


class _Shared(dict[type, bool]):
    """Whether objects of a type are shared, by type."""

    def __missing__(self, kind: type) -> bool:
        names = [base.__module__ for base in kind.__mro__]
        of_packages = any(name.partition(".")[0] in _PACKAGES for name in names)
        of_torch = names[0].startswith(_PARTS_OF_TORCH)
        shared = kind is object or issubclass(kind, _SHARED) or of_packages or of_torch
        self[kind] = shared and not issubclass(kind, nn.Module)
        return self[kind]


class _Fields(dict[type, tuple[str, ...] | None]):
    """The slots of a type; None where attributes are not all that its objects have."""

    def __missing__(self, kind: type) -> tuple[str, ...] | None:
        if any(not base.__flags__ & _PYTHON for base in kind.__mro__ if base not in _OPEN):
            self[kind] = None  # a file, a socket: there is more in C
            return None
        slots = [
            name
            for base in kind.__mro__
            if base not in _OPEN
            for name, member in vars(base).items()  # not `__slots__`: private names are mangled
            if isinstance(member, types.MemberDescriptorType)
        ]
        has_dict = getattr(kind, "__dictoffset__", 0) != 0
        self[kind] = tuple(slots) if slots or has_dict else None
        return self[kind]


IS_SHARED = _Shared()
"""By type: whether a run and its copies refer to the same object."""

SLOTS_OF = _Fields()
"""By type: the names of slots; None for an object whose attributes are not all of its state."""


def is_opaque(value: Any) -> bool:
    """Return whether a value that is not plain can only be copied as a whole, if at all."""
    kind = type(value)
    return not (isinstance(value, Tensor) or IS_SHARED[kind]) and SLOTS_OF[kind] is None

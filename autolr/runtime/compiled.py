"""What `torch.compile` has made of a run: code that holds its tensors, and how to go round it."""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from types import FunctionType
from typing import Any, TypeVar

import torch
from torch import nn
from torch.optim import Optimizer

from autolr.runtime.joint_optimizer import parts_of
from autolr.runtime.model_tensors import modules_of

T = TypeVar("T")

_WRAPPED = "_orig_mod"  # the name of a module within the one that `torch.compile` returns


def written_name(name: str) -> str:
    """Return the name of a tensor or module as it is where nothing is compiled."""
    return ".".join(part for part in name.split(".") if part != _WRAPPED)


def as_written() -> AbstractContextManager[object]:
    """Run compiled code uncompiled for a block: for what it would have to be compiled anew for."""
    if "torch._dynamo" not in sys.modules:  # nothing is compiled; to load it takes a second
        return nullcontext()
    eager: AbstractContextManager[object] = torch.compiler.set_stance("force_eager")
    return eager


def holds_tensors(model: nn.Module, optimizer: Optimizer | None = None) -> bool:
    """Return whether code of a run is bound to the memory of its tensors, or to the very objects.

    CUDA graphs read and write fixed addresses, and are recorded anew for any other. They come with
    ``mode="reduce-overhead"`` and ``"max-autotune"``, an option or a setting of inductor, and
    `torch.cuda.make_graphed_callables`. A compiled step of an optimizer is compiled for the very
    tensors of its state, and one that is ``capturable`` is meant for a CUDA graph.

    Args:
        model: The model.
        optimizer: Its optimizer, if its state counts too.
    """
    if cuda_graphs_are_on():
        return True
    if optimizer is not None and any(group.get("capturable") for group in optimizer.param_groups):
        return True
    if optimizer is not None and is_step_compiled(optimizer):
        return True
    return any(_is_bound(function) for one in modules_of(model) for function in _functions_of(one))


def is_step_compiled(optimizer: Optimizer) -> bool:
    """Return whether the step of an optimizer is compiled: ``o.step = torch.compile(o.step)``."""
    parts = parts_of(optimizer)
    return any(_is_a_step(function) for part in parts for function in _functions_of(part))


def beside(optimizer: Optimizer, function: Callable[..., T]) -> Callable[..., T]:
    """Return a function for a step of an optimizer to call, which is not compiled with it.

    It would be compiled anew for each value that it reads.

    Args:
        optimizer: The optimizer.
        function: The function.
    """
    if not is_step_compiled(optimizer):
        return function
    left: Callable[..., T] = torch.compiler.disable(function)  # type: ignore[no-untyped-call]
    return left


def cuda_graphs_are_on() -> bool:
    """Return whether inductor records CUDA graphs of all that it compiles, or has recorded one.

    The latter shows where nothing else does: a compiled function that no module holds.
    """
    config = sys.modules.get("torch._inductor.config")
    if config is not None and config.triton.cudagraphs:
        return True
    trees = sys.modules.get("torch._inductor.cudagraph_trees")
    if trees is None or not torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        return False
    device = torch.cuda.current_device()
    return trees.get_manager(device, create_if_none_exists=False) is not None


def _functions_of(owner: object) -> Iterator[FunctionType]:
    """Yield functions among the attributes of an object and of its class."""
    for value in vars(owner).values():
        if isinstance(value, FunctionType):
            yield value
    yield from _COMPILED_METHODS[type(owner)]


def _is_bound(function: FunctionType) -> bool:
    """Return whether a function is a compiled one that is bound to tensors."""
    if "make_graphed_callables" in function.__qualname__:
        return True
    return _is_a_step(function) or bool(_config_of(function).get("triton.cudagraphs"))


def _is_a_step(function: FunctionType) -> bool:
    """Return whether a function is a compiled step of an optimizer."""
    compiled: Any = getattr(function, "_torchdynamo_orig_callable", None)
    return isinstance(getattr(compiled, "__self__", None), Optimizer)


def _config_of(function: FunctionType) -> dict[str, Any]:
    """Return inductor's settings of a compiled function; none of any other."""
    if function.__name__ == "get_compiler_config":  # of an `OptimizedModule`, in its attributes
        read: Any = function
    else:
        read = getattr(function, "get_compiler_config", None)
    return (read() if read is not None else None) or {}


class _CompiledMethods(dict[type, tuple[FunctionType, ...]]):
    """The compiled methods of a class: looked for once."""

    def __missing__(self, kind: type) -> tuple[FunctionType, ...]:
        functions = [
            value
            for base in kind.__mro__
            for value in vars(base).values()
            if isinstance(value, FunctionType) and hasattr(value, "get_compiler_config")
        ]
        self[kind] = tuple(functions)
        return self[kind]


_COMPILED_METHODS = _CompiledMethods()

"""Parameters, buffers and modules of a model, quickly."""

from collections.abc import Iterable

from torch import Tensor, nn

from autolr.runtime.exchange import local


def tensors_of(model: nn.Module) -> tuple[list[nn.Parameter], list[Tensor]]:
    """Return the parameters and the buffers of a model, each tensor once.

    The order is the same at each call. It takes a quarter of the time of
    ``model.parameters()``, which has to make names, and is due twice in every step of a rival.
    """
    parameters: dict[int, nn.Parameter] = {}
    buffers: dict[int, Tensor] = {}
    for module in modules_of(model):
        if module._parameters:
            parameters |= {id(p): p for p in module._parameters.values() if p is not None}
        if module._buffers:
            buffers |= {id(b): b for b in module._buffers.values() if b is not None}
    return list(parameters.values()), list(buffers.values())


def is_finite(model: nn.Module) -> bool:
    """Return whether no parameter of a model is NaN or infinite; it waits for the device.

    Of what is sharded it looks at the part of this process: others may have another answer.
    """
    return all(bool(part.isfinite().all()) for part in map(local, tensors_of(model)[0]))


def modules_of(model: nn.Module) -> Iterable[nn.Module]:
    """Return a model and all modules in it, each once."""
    seen = {id(model): model}
    waiting = [model]
    while waiting:
        if children := waiting.pop()._modules:
            new = {id(m): m for m in children.values() if m is not None and id(m) not in seen}
            seen |= new
            waiting += new.values()
    return seen.values()

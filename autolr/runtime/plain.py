"""Values as a checkpoint holds them: plain, and free of the device that they were on."""

from typing import Any

import torch
from torch import Tensor, nn

from autolr.runtime.containers import each
from autolr.runtime.exchange import local, locals_of
from autolr.runtime.layouts import bytes_of

_SCALARS = (type(None), bool, int, float, str)
_EVERYWHERE = ("cpu", "meta")  # devices of every process; on the last one tensors have no data
_ELSEWHERE = "autolr: not on the CPU"  # the key that marks a tensor of an accelerator


def is_plain(value: Any) -> bool:
    """Return whether ``torch.load(weights_only=True)`` takes a value back as it is.

    Plain are None, numbers, strings, tensors, and lists, tuples and dicts of them. What is
    derived from one of these is not: it would come back as something else, or not at all.
    """
    if type(value) is dict:
        return all(type(key) in _SCALARS for key in value) and all(map(is_plain, value.values()))
    if type(value) in (list, tuple):
        return all(map(is_plain, value))
    return type(value) in (*_SCALARS, Tensor)


def packed(value: Any) -> Any:
    """Return a value whose tensors say whether they lay on the CPU; none is copied.

    Of what is sharded it has the part of this process; `Names` knows what that is a part of.
    """
    return _packed(locals_of(value))


def _packed(value: Any) -> Any:
    if isinstance(value, Tensor):
        tensor = value.detach()
        return tensor if tensor.device.type in _EVERYWHERE else {_ELSEWHERE: tensor}
    return each(value, _packed)


def unpacked(value: Any, device: torch.device) -> Any:
    """Return a copy of what was `packed`: tensors of the CPU there, all others on ``device``.

    Args:
        value: What `packed` returned.
        device: The accelerator of the run.
    """
    if isinstance(value, Tensor):
        return value.clone() if value.is_meta else value.to("cpu", copy=True)
    if type(value) is dict and _ELSEWHERE in value:
        return value[_ELSEWHERE].to(device, copy=True)
    return each(value, lambda item: unpacked(item, device))


def device_of(model: nn.Module) -> torch.device:
    """Return the device of a model's first parameter; the CPU without any."""
    return next((parameter.device for parameter in model.parameters()), torch.device("cpu"))


def size(value: Any) -> int:
    """Return the bytes that this process holds of the tensors in a plain value."""
    if isinstance(value, Tensor):
        return bytes_of(local(value))
    items = value.values() if isinstance(value, dict) else value
    return sum(map(size, items)) if isinstance(value, dict | list | tuple) else 0

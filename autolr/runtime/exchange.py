"""The part of a tensor that this process holds, where several hold it together.

FSDP2 and tensor parallel keep a tensor as a `DTensor`, a description around a local tensor. FSDP1
keeps a parameter as a view into a flat one, which it makes a view of the gathered weights for a
pass. In both the local memory is held by others, such as the buffers that are gathered: parameters
change places in it, by value.
"""

import sys
from typing import Any, TypeGuard

from torch import Tensor, nn

from autolr.runtime.containers import each

_SHARD = "autolr: the shard of a process"  # the key that marks one in a checkpoint


def is_sharded(tensor: Tensor) -> bool:
    """Return whether this process holds a part of a tensor, in memory that others refer to."""
    return type(tensor) is not Tensor and (_is_flat(tensor) or _is_distributed(tensor))


def local(tensor: Tensor) -> Tensor:
    """Return what this process holds of a tensor; of one that is not distributed all of it."""
    if type(tensor) in (Tensor, nn.Parameter) or not _is_distributed(tensor):
        return tensor
    part: Tensor = tensor._local_tensor.detach()  # no step of a graph, unlike `to_local`
    return part


def sharded_like(part: Tensor, like: Tensor) -> Tensor:
    """Return a tensor that is distributed as another one.

    Args:
        part: What this process holds of it.
        like: The other one; if that is not distributed, ``part`` itself is returned.
    """
    if type(like) in (Tensor, nn.Parameter) or not _is_distributed(like):
        return part
    layout = {"shape": like.shape, "stride": like.stride()}
    mesh, placements = like.device_mesh, like.placements
    whole: Tensor = type(like).from_local(part, mesh, placements, run_check=False, **layout)
    return whole


def whole(tensor: Tensor) -> Tensor:
    """Return all of a tensor; of a distributed one it is gathered, on all ranks at once."""
    if type(tensor) in (Tensor, nn.Parameter) or not _is_distributed(tensor):
        return tensor
    gathered: Tensor = tensor.full_tensor()
    return gathered


def locals_of(value: Any) -> Any:
    """Return a plain value in which what is distributed is the part of this process, marked."""
    if isinstance(value, Tensor):
        return {_SHARD: local(value)} if _is_distributed(value) else value
    return each(value, locals_of)


def joined(value: Any, like: object) -> Any:
    """Return what `locals_of` made plain.

    Args:
        value: What it returned.
        like: The parameter that it belongs to, which is distributed alike.
    """
    if type(value) is dict and _SHARD in value:
        return sharded_like(value[_SHARD], like) if isinstance(like, Tensor) else value[_SHARD]
    return each(value, lambda item: joined(item, like))


def gather_back(model: nn.Module) -> None:
    """Have every parameter in place as the optimizer has it.

    A forward pass without a backward pass leaves the weights of the outermost module gathered, and
    the next one would not notice that those in place have changed.

    Args:
        model: A model, or what wraps it.
    """
    if (fsdp := sys.modules.get("torch.distributed.fsdp")) is None:
        return
    for module in model.modules():
        if isinstance(module, fsdp.FSDPModule):
            module.reshard()
        elif isinstance(module, fsdp.FullyShardedDataParallel) and module._handle is not None:
            _free(module)


def _free(module: Any) -> None:
    """Free what an FSDP1 module has gathered."""
    from torch.distributed.fsdp._runtime_utils import _reshard

    if not module._handle.needs_unshard():
        _reshard(module, module._handle, True)


def _is_flat(tensor: Tensor) -> bool:
    """Return whether FSDP1 keeps a parameter within a flat one."""
    return getattr(tensor, "_fsdp_flattened", False)


def _is_distributed(tensor: Any) -> "TypeGuard[Any]":
    module = sys.modules.get("torch.distributed.tensor")
    return module is not None and isinstance(tensor, module.DTensor)

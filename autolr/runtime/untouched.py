"""What a block leaves as it was, also where it changes it."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn

from autolr.runtime.attributes import Attributes
from autolr.runtime.compiled import holds_tensors
from autolr.runtime.exchange import is_sharded
from autolr.runtime.model_tensors import tensors_of
from autolr.runtime.swap import Swap
from autolr.runtime.tensor_memory import copied as copied_value


@contextmanager
def untouched(model: nn.Module, *, weights: bool = False, whole: bool = False) -> Iterator[None]:
    """Leave buffers and attributes as they are.

    Args:
        model: The model.
        weights: Whether weights too are left as they are, see `changeable`: a training step may
            change them itself, as it does those of a teacher that follows the model.
        whole: Whether what functions hold counts too, see `HeldObjects`.
    """
    parameters, buffers = tensors_of(model)
    attributes = Attributes(model, whole=whole)
    attributes.exchange()
    is_bound = holds_tensors(model)
    places = [(module, dict(module._buffers)) for module in model.modules()]
    copied: list[Tensor] = [*changeable(model), *buffers] if weights else buffers
    held = [tensor for tensor in [*parameters, *buffers] if not is_sharded(tensor)]
    own = [(tensor, tensor.data) for tensor in held]
    with Swap(in_place=is_bound) as swap:
        kept = [(tensor, swap.data(tensor, copied_value(tensor))) for tensor in copied]
    try:
        yield
    finally:
        for module, bound in places:  # a module may bind another tensor to the name
            module._buffers.update(bound)
        for tensor, data in own:
            tensor.data = data
        with Swap(in_place=is_bound) as swap:
            for tensor, data in kept:
                swap.data(tensor, data)
        attributes.exchange()


def changeable(model: nn.Module) -> list[nn.Parameter]:
    """Return the parameters that a training step may change.

    They are those that train, and frozen ones of the shape of one that trains: a teacher is a copy
    of what it follows. The many that a small adapter leaves frozen are not among them.
    """
    parameters, _ = tensors_of(model)
    shapes = {(p.shape, p.dtype) for p in parameters if p.requires_grad}
    return [p for p in parameters if (p.shape, p.dtype) in shapes]

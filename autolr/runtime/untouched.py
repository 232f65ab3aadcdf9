"""Buffers and attributes of a model that a block leaves as they were."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from autolr.runtime.attributes import Attributes


@contextmanager
def untouched(model: nn.Module) -> Iterator[None]:
    """Leave buffers and plain attributes as they are, also where the block changes them."""
    attributes = Attributes(model)
    attributes.exchange()
    places = [(module, dict(module._buffers)) for module in model.modules()]
    buffers = list(model.buffers())
    own = [buffer.data for buffer in buffers]
    for buffer in buffers:
        buffer.data = buffer.data.clone()
    try:
        yield
    finally:
        for module, held in places:  # a module may bind another tensor to the name
            module._buffers.update(held)
        for buffer, data in zip(buffers, own, strict=True):
            buffer.data = data
        attributes.exchange()

"""The accelerators that torch can use."""

from dataclasses import dataclass

import torch


@dataclass(frozen=True, slots=True)
class Accelerator:
    """An accelerator.

    Attributes:
        name: What its maker calls it.
        memory: All of it, in bytes; None: not known.
    """

    name: str
    memory: int | None


def accelerators() -> tuple[Accelerator, ...]:
    """Return those that torch can use: CUDA's, or Apple's one."""
    if torch.cuda.is_available():
        found = map(torch.cuda.get_device_properties, range(torch.cuda.device_count()))
        return tuple(Accelerator(one.name, one.total_memory) for one in found)
    return (Accelerator("mps", None),) if torch.backends.mps.is_available() else ()

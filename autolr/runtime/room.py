"""How many copies of a run there is room for."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from autolr.errors import ConfigError
from autolr.gpu_sharing import sharers


def free_bytes(device: torch.device) -> int | None:
    """Return the memory of an accelerator that a process can still get; None for any other.

    It is what the driver reports as free, divided by the trials that share the device, and what
    torch has got from it and not used.
    """
    if device.type != "cuda":
        return None
    free, _ = torch.cuda.mem_get_info(device)
    unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return free // sharers() + unused


def bytes_of_a_step(device: torch.device) -> int | None:
    """Return what a training step has taken at most beside what is held between steps.

    None before a step has been made, and where memory is not measured.
    """
    if device.type != "cuda":
        return None
    held = torch.cuda.memory_allocated(device)
    return (torch.cuda.max_memory_allocated(device) - held) or None


@dataclass(frozen=True, slots=True)
class Room:
    """The room for copies of a run.

    Attributes:
        most: How many may be held at once; None: as many as the memory takes.
        free: Returns the free bytes of a device, None where they do not count.
        of_a_step: Returns the bytes that a training step needs for itself, None if unknown.
    """

    most: int | None = None
    free: Callable[[torch.device], int | None] = free_bytes
    of_a_step: Callable[[torch.device], int | None] = bytes_of_a_step

    def left(self, device: torch.device, copy: int, needed: int, held: int) -> tuple[int, str]:
        """Return how many more copies there is room for, and what limits them.

        What the activations will take is unknown before the first step: half of the free memory is
        left to them.

        Args:
            device: Of the model.
            copy: The bytes of a copy.
            needed: Bytes that the run itself is yet to take: its first gradients and states.
            held: How many copies are held already.
        """
        limits = [] if self.most is None else [(self.most - held, f"max_copies={self.most}")]
        free = self.free(device)
        if free is not None:
            of_a_step = self.of_a_step(device)
            usable = free - needed - (free // 2 if of_a_step is None else of_a_step)
            said = f"{free / 2**20:.4g} MiB are free, a copy takes {copy / 2**20:.4g} MiB"
            limits.append((usable // max(1, copy), said))
        count, reason = min(limits, default=(2**31, ""))
        return max(0, count), reason


def room_for(most: object) -> Room:
    """Return the room for so many copies, or for as many as the memory takes.

    Args:
        most: What the user has set as ``max_copies``; None: not set.

    Raises:
        ConfigError: If it is no positive whole number.
    """
    if most is None:
        return Room()
    if isinstance(most, bool) or not isinstance(most, int) or most < 1:
        raise ConfigError.of("max_copies", most, "a whole number of at least 1")
    return Room(most)

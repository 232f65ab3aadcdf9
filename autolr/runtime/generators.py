"""The state of every random generator that training draws from."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Generators:
    """The states of Python's, NumPy's and torch's global generators at one moment.

    Attributes:
        python: Of `random.getstate`.
        numpy: Of `numpy.random.get_state`.
        cpu: Of `torch.get_rng_state`.
        cuda: One state for each visible CUDA device, empty while CUDA is not in use.
    """

    python: tuple[Any, ...]
    numpy: Any
    cpu: Tensor
    cuda: tuple[Tensor, ...]

    @classmethod
    def capture(cls) -> "Generators":
        """Return the present states."""
        in_use = torch.cuda.is_available() and torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
        return cls(
            python=random.getstate(),
            numpy=np.random.get_state(),
            cpu=torch.get_rng_state(),
            cuda=tuple(torch.cuda.get_rng_state_all()) if in_use else (),
        )

    def restore(self) -> None:
        """Put the states back; what is drawn next is what was drawn after `capture`."""
        random.setstate(self.python)
        np.random.set_state(self.numpy)
        torch.set_rng_state(self.cpu)
        if self.cuda:
            torch.cuda.set_rng_state_all(list(self.cuda))


@contextmanager
def kept_generators() -> Iterator[None]:
    """Leave every global generator as it was, whatever the block draws."""
    before = Generators.capture()
    try:
        yield
    finally:
        before.restore()

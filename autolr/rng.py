"""The states of the random generators that training draws from."""

import ctypes
import functools
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

_TWISTER_WORDS = 624  # 32-bit words of a Mersenne Twister; its position is one more


@dataclass(frozen=True, slots=True)
class RngState:
    """The states of Python's, NumPy's and torch's global generators, captured together.

    It misses one change: training that calls ``numpy.random.set_state`` with a state that differs
    only in the cached second value of a pair of normal draws; see `_NumPyState`.

    Attributes:
        python: From `random.getstate`.
        numpy: From `numpy.random.get_state`.
        cpu: From `torch.get_rng_state`: uint8, shape (5056,).
        cuda: One state for each visible CUDA device, empty while CUDA is not in use.
    """

    python: tuple[Any, ...]
    numpy: "_NumPyState"
    cpu: Tensor
    cuda: tuple[Tensor, ...]

    @classmethod
    def capture(cls) -> "RngState":
        """Return the present states."""
        in_use = torch.cuda.is_available() and torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
        return cls(
            python=random.getstate(),
            numpy=_NumPyState.capture(),
            cpu=torch.get_rng_state(),
            cuda=tuple(torch.cuda.get_rng_state_all()) if in_use else (),
        )

    def restore(self) -> None:
        """Restore the states: the next draws repeat those after `capture`."""
        random.setstate(self.python)
        self.numpy.restore()
        torch.set_rng_state(self.cpu)
        if self.cuda:
            torch.cuda.set_rng_state_all(list(self.cuda))

    def to_dict(self) -> dict[str, Any]:
        """Return tensors and plain containers, which `from_dict` reads."""
        version, words, gauss = self.python
        return {
            "python": [version, torch.tensor(words), gauss],
            "numpy": _to_plain(self.numpy.state),
            "cpu": self.cpu,
            "cuda": list(self.cuda),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "RngState":
        """Return the states that `to_dict` wrote; CUDA's only for the same number of devices."""
        version, words, gauss = values["python"]
        cuda = values["cuda"]
        return cls(
            python=(version, tuple(words.tolist()), gauss),
            numpy=_NumPyState(_from_plain(values["numpy"]), memory=None),
            cpu=values["cpu"],
            cuda=tuple(cuda) if len(cuda) == torch.cuda.device_count() else (),
        )


@contextmanager
def isolated_rng() -> Iterator[None]:
    """Restore every global generator after the block."""
    before = RngState.capture()
    try:
        yield
    finally:
        before.restore()


@dataclass(frozen=True, slots=True)
class _NumPyState:
    """The state of NumPy's global generator, read and written only where it has changed.

    NumPy takes 25 us to return its state and 26 us to set one, word by word; Python takes 7 and 2,
    torch less than 1. A live step with four rivals needs two of the former and five of the latter,
    180 us, and comparing states instead needs as many calls. The overhead of these rivals would be
    24 % in place of 15 % on mlp_flights and 34 % in place of 15 % on finetune_digits (measured by
    examples/time_to_target/micro.py). So the generator's memory says whether its state has changed,
    at the address in NumPy's public interface for ctypes.

    Attributes:
        state: From `numpy.random.get_state`, as a dict.
        memory: The generator's memory in that state, None where it cannot be read.
    """

    state: dict[str, Any]
    memory: bytes | None

    _latest: ClassVar["_NumPyState | None"] = None

    @classmethod
    def capture(cls) -> "_NumPyState":
        present = cls._if_known()
        if present is None:
            present = cls(np.random.get_state(legacy=False), _memory())
            _NumPyState._latest = present
        return present

    def restore(self) -> None:
        present = self._if_known()
        if present is None or present.memory != self.memory or self.state["has_gauss"]:
            np.random.set_state(self.state)
        _NumPyState._latest = self

    @classmethod
    def _if_known(cls) -> "_NumPyState | None":
        """Return the state in place if it is surely the latest that was captured or restored.

        Every draw changes the memory, except one that returns the cached second value of a pair of
        normal draws; so a state with such a value is never trusted.
        """
        latest = cls._latest
        if latest is None or latest.memory is None or latest.state["has_gauss"]:
            return None
        return latest if _memory() == latest.memory else None


def _to_plain(state: Any) -> Any:
    """Return a NumPy state without arrays, which a safe checkpoint does not hold."""
    if isinstance(state, dict):
        return {name: _to_plain(value) for name, value in state.items()}
    if isinstance(state, np.ndarray):
        memory = torch.frombuffer(bytearray(state.tobytes()), dtype=torch.uint8)
        return [str(state.dtype), memory]
    return state


def _from_plain(state: Any) -> Any:
    if isinstance(state, dict):
        return {name: _from_plain(value) for name, value in state.items()}
    if isinstance(state, list):
        return np.frombuffer(state[1].numpy().tobytes(), dtype=state[0])
    return state


def _memory() -> bytes | None:
    """Return the words and the position of NumPy's global generator, if it is a Twister."""
    generator = np.random.mtrand.get_bit_generator()
    if type(generator) is not np.random.MT19937 or not _layout_is_known():
        return None
    return ctypes.string_at(generator.ctypes.state_address, 4 * (_TWISTER_WORDS + 1))


@functools.cache
def _layout_is_known() -> bool:
    """Return whether a Twister's memory holds its words and position; NumPy does not promise it."""
    generator = np.random.MT19937(0)
    generator.random_raw(5)
    memory = ctypes.string_at(generator.ctypes.state_address, 4 * (_TWISTER_WORDS + 1))
    state: Any = generator.state["state"]
    expected = np.append(state["key"], state["pos"]).astype(np.uint32)
    return memory == expected.tobytes()

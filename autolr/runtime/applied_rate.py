"""The rate in a parameter group: what is applied, and the user's own rate behind it."""

import math
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary
from typing_extensions import override


class AppliedRate(float):
    """A rate that stands in a parameter group, with the user's own rate of which it is a multiple.

    Everything that reads the group sees the rate that is applied. What code computes from it keeps
    the relation, so that ``group["lr"] *= 0.5`` halves the own rate too; a plain number that is
    written in its place is an own rate. Copies and pickles are plain floats.

    Attributes:
        own: The user's own rate.
        factor: What it is multiplied by.
    """

    __slots__ = ("factor", "own")
    own: float
    factor: float

    @classmethod
    def of(cls, own: float, factor: float) -> "AppliedRate":
        """Return ``own`` x ``factor``."""
        return cls._made(own * factor, own, factor)

    @classmethod
    def derived(cls, value: float, factor: float) -> "AppliedRate":
        """Return an applied rate of that value; its own rate follows from the factor."""
        return cls._made(value, value / factor if factor else value, factor)

    @classmethod
    def _made(cls, value: float, own: float, factor: float) -> "AppliedRate":
        rate = cls(value)
        rate.own, rate.factor = own, factor
        return rate

    @override
    def __mul__(self, other: float) -> float:
        if isinstance(other, AppliedRate) or not isinstance(other, int | float):
            return super().__mul__(other)
        return self._made(super().__mul__(other), self.own * other, self.factor)

    __rmul__ = __mul__

    @override
    def __truediv__(self, other: float) -> float:
        if isinstance(other, AppliedRate) or not isinstance(other, int | float):
            return super().__truediv__(other)
        return self._made(super().__truediv__(other), self.own / other, self.factor)

    @override
    def __add__(self, other: float) -> float:
        if not isinstance(other, int | float):
            return super().__add__(other)
        return self._made(super().__add__(other), self.own + self._own_of(other), self.factor)

    __radd__ = __add__

    @override
    def __sub__(self, other: float) -> float:
        if not isinstance(other, int | float):
            return super().__sub__(other)
        return self._made(super().__sub__(other), self.own - self._own_of(other), self.factor)

    @override
    def __rsub__(self, other: float) -> float:
        if not isinstance(other, int | float):
            return super().__rsub__(other)
        return self._made(super().__rsub__(other), self._own_of(other) - self.own, self.factor)

    def __reduce__(self) -> tuple[type[float], tuple[float]]:
        return float, (float(self),)

    @override
    def __reduce_ex__(self, protocol: Any, /) -> tuple[type[float], tuple[float]]:
        return self.__reduce__()

    def _own_of(self, other: float) -> float:
        """Return the own rate behind another applied value; of a factor of 0 there is none."""
        if isinstance(other, AppliedRate):
            return other.own
        return other / self.factor if self.factor else 0.0


@dataclass(frozen=True, slots=True)
class TensorRecord:
    """What a tensor in the place of a rate was multiplied from.

    Attributes:
        own: The user's own rate, a tensor of its own.
        factor: What it was multiplied by.
        version: Of the tensor when that was written; each write in place raises it.
    """

    own: Tensor
    factor: float
    version: int


_RECORDS: MutableMapping[Tensor, TensorRecord] = WeakIdKeyDictionary()
"""Of the tensors that hold an applied rate, by their identity."""


def own_rate(group: Mapping[str, Any]) -> Any:
    """Return the user's own rate of a parameter group, a number or a tensor.

    It is behind the applied rate that stands in the group. A rate that other code has put there
    is an own rate, as is that of a group that was added a moment ago.

    Args:
        group: The group.
    """
    rate = group["lr"]
    if isinstance(rate, AppliedRate):
        return rate.own
    return _own_tensor(rate) if isinstance(rate, Tensor) else rate


def apply_rate(group: dict[str, Any], own: Any, factor: float) -> None:
    """Have the own rate x factor stand in a group; a tensor is written in place.

    Args:
        group: The group.
        own: See `own_rate`.
        factor: What to multiply it by.
    """
    rate = group["lr"]
    if isinstance(rate, Tensor):
        rate.copy_(own * factor)
        remember(rate, TensorRecord(own, factor, 0))
    else:
        group["lr"] = AppliedRate.of(own, factor)


def restore_own(group: dict[str, Any]) -> None:
    """Have a group's own rate stand in it, as if nothing had been applied."""
    rate, own = group["lr"], own_rate(group)
    if isinstance(rate, Tensor):
        rate.copy_(own)
        _RECORDS.pop(rate, None)
    else:
        group["lr"] = own


def settle(group: dict[str, Any]) -> None:
    """Have the applied rate stand in a group as its own rate: a plain number."""
    rate = group["lr"]
    if isinstance(rate, Tensor):
        _RECORDS.pop(rate, None)
    else:
        group["lr"] = float(rate)


def record_of(rate: Tensor) -> TensorRecord | None:
    """Return what a tensor was multiplied from; None where nothing is applied to it."""
    return _RECORDS.get(rate)


def remember(rate: Tensor, record: TensorRecord | None) -> None:
    """Note what a tensor has just been multiplied from, or that nothing is applied to it."""
    if record is None:
        _RECORDS.pop(rate, None)
    else:
        _RECORDS[rate] = replace(record, version=rate._version)


def _own_tensor(rate: Tensor) -> Tensor:
    record = record_of(rate)
    if record is None:
        return rate.detach().clone()
    return record.own if record.version == rate._version else _own_written(rate, record)


def _own_written(rate: Tensor, record: TensorRecord) -> Tensor:
    """Return the own rate after a write in place: scaled (``mul_``) or set (``fill_``).

    Nothing in a tensor says which. It is the one that changes the own rate less.
    """
    given = rate.detach().clone()
    value, own, factor = float(rate), float(record.own), record.factor
    if not (value > 0 and own > 0 and factor > 0):
        return given
    return given / factor if nearer(value / factor, value, own) else given


def nearer(one: float, other: float, rate: float) -> bool:
    """Return whether one rate is nearer to a third than another is, by their ratios.

    Args:
        one: A rate.
        other: The other one.
        rate: The third.
    """
    if not (one > 0 and other > 0 and rate > 0):
        return False
    return abs(math.log(one / rate)) < abs(math.log(other / rate))

"""The schedule: a value that maps steps to multipliers of the peak."""

import functools
import json
import numbers
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from autolr.errors import ConfigError
from autolr.schedules import notation
from autolr.schedules.evaluate import check_shares, evaluate, try_formula
from autolr.schedules.registry import Entry, find
from autolr.settings import Array, Integer, Maybe, Real, Value, read_setting

_SPAN = Maybe(Real(0))
_LENGTH = Real(0, open="low")
_BLOCK = 256  # steps evaluated at once: a run reads them in order, and one at a time is slower


@dataclass(frozen=True, slots=True, repr=False)
class Schedule:
    """A learning-rate schedule, as multipliers of the peak.

    Step k of T uses the multiplier at progress k / T: the first step is at progress 0, the
    last one at (T - 1) / T. The length of the run is no part of it: one value fits every length.
    It is made by the profiles (``cosine()``) and combined by ``a | b`` (one after the other),
    ``a * b``, ``a * 0.5``, ``a ** 2``, ``over``, ``floor`` and ``every``.

    Attributes:
        kind: Name of the profile or operator whose formula it follows.
        settings: All settings of that formula, as pairs of name and value.
        parts: The schedules that an operator combines.
        span: Its length in a run or chain: up to 1 a share of it, above 1 optimizer steps, None
            all that other parts leave. A schedule that is no part of a chain holds its last value
            after its span. A span of 0 takes it out.

    Raises:
        ConfigError: If a setting cannot work, or the shares of a chain sum to more than 1.

    >>> from autolr.schedules import linear
    >>> schedule = (linear() * 0.5).floor(0.1)
    >>> schedule.at(50, total_steps=100)
    0.325
    >>> Schedule.from_json(schedule.to_json()) == schedule
    True
    >>> print(linear().over(200))
    linear().over(200 steps)
    """

    kind: str
    settings: tuple[tuple[str, Value], ...] = ()
    parts: tuple["Schedule", ...] = ()
    span: float | None = None

    def __post_init__(self) -> None:
        entry, settings = find(self.kind), dict[str, object](self.settings)
        if "span" in entry.parameters:
            settings["span"] = self.span
        read = entry.read(settings)
        self._check_parts(entry)
        if not self.parts:
            try_formula(entry, read)
        span = read.pop("span") if "span" in read else self._read_span()
        object.__setattr__(self, "settings", tuple(read.items()))
        object.__setattr__(self, "span", span)

    def at(self, step: float, total_steps: float) -> float:
        """Return the multiplier at ``step`` of a run of ``total_steps``.

        Args:
            step: May be real. Below 0 it counts as 0; from ``total_steps`` on, the value at
                progress 1 holds.
            total_steps: Length of the run, in optimizer steps.

        Raises:
            ConfigError: If ``step`` is not a number, ``total_steps`` not a positive one, or
                spans in steps do not fit in it.
        """
        if type(step) is int and type(total_steps) is int and 0 <= step < total_steps:
            return _block(self, total_steps, step // _BLOCK)[step % _BLOCK]
        length = read_setting("total_steps", _LENGTH, total_steps)
        assert isinstance(length, float)
        if isinstance(step, bool) or not isinstance(step, numbers.Real) or step != step:
            raise ConfigError.of("step", step, "a number")
        return float(evaluate(self, np.array([min(max(step, 0.0), length)]), length)[0])

    def values(self, total_steps: int) -> Array:
        """Return the multipliers of all steps of a run, shape (total_steps,).

        Raises:
            ConfigError: If ``total_steps`` is not a whole number of at least 1, or spans in
                steps do not fit in it.
        """
        length = read_setting("total_steps", Integer(1), total_steps)
        assert isinstance(length, int)
        return evaluate(self, np.arange(length, dtype=np.float64), float(length))

    def timed(self, total_steps: float) -> functools.partial[float]:
        """Return the multiplier as a function of the step alone, for torch's LambdaLR.

        It pickles, and a checkpoint of the LambdaLR loads with ``weights_only``.

        Raises:
            ConfigError: If ``total_steps`` is not a positive number, or spans in steps do not
                fit in it.
        """
        self.at(0, total_steps)
        return functools.partial(self.at, total_steps=total_steps)

    def over(self, span: float | None) -> "Schedule":
        """Return it with another span (see the class).

        Raises:
            ConfigError: If ``span`` is negative or not a number.
        """
        return replace(self, span=span)

    def floor(self, level: float) -> "Schedule":
        """Return level + (1 - level) * m, which ends at ``level`` where m ends at 0.

        Raises:
            ConfigError: If ``level`` is outside [0, 1].
        """
        return self._wrapped("floor", level=level)

    def every(self, pace: float) -> "Schedule":
        """Return it sampled every ``pace`` steps and held in between.

        Args:
            pace: From 1 on in optimizer steps, below 1 as a share of the schedule's length.

        Raises:
            ConfigError: If ``pace`` is not above 0.

        Source: Chen, Wolfe & Kyrillidis 2022 (REX), arXiv:2107.04197: profile and sampling
        rate as two separate choices.
        """
        return self._wrapped("every", pace=pace)

    def __or__(self, other: "Schedule") -> "Schedule":
        if not isinstance(other, Schedule):
            return NotImplemented
        return Schedule("chain", parts=(*self._flat("chain"), *other._flat("chain")))

    def __mul__(self, other: "Schedule | float") -> "Schedule":
        if isinstance(other, Schedule):
            return Schedule("product", parts=(*self._flat("product"), *other._flat("product")))
        if isinstance(other, numbers.Real):
            return self._wrapped("scale", by=other)
        return NotImplemented

    __rmul__ = __mul__

    def __pow__(self, exponent: float) -> "Schedule":
        return self._wrapped("power", exponent=exponent)

    def to_dict(self) -> dict[str, Any]:
        """Return it as dicts, lists, strings, numbers and None, with all settings."""
        return notation.to_dict(self)

    @classmethod
    def from_dict(cls, mapping: Mapping[str, object]) -> "Schedule":
        """Return the schedule that ``to_dict`` wrote, or any mapping that `parse` takes.

        Raises:
            ConfigError: If a kind or setting is unknown, missing or has a wrong value.
        """
        return notation.schedule_from(mapping)

    def to_json(self) -> str:
        """Return it as one line of JSON."""
        return json.dumps(self.to_dict(), allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> "Schedule":
        """Return the schedule that ``to_json`` wrote.

        Raises:
            ConfigError: If ``text`` is not JSON, or not a schedule.
        """
        try:
            mapping = json.loads(text)
        except ValueError as error:
            raise ConfigError(f"a schedule must be JSON: {error}") from None
        return notation.schedule_from(mapping)

    def __repr__(self) -> str:
        return notation.expression(self)

    def __str__(self) -> str:
        """Return it for people: as the expression, but lengths have their units."""
        return notation.expression(self, units=True)

    def _wrapped(self, kind: str, **settings: Any) -> "Schedule":
        """Return an operator on this one; the span moves outside, where a chain sees it."""
        return Schedule(kind, tuple(settings.items()), (replace(self, span=None),), self.span)

    def _check_parts(self, entry: Entry) -> None:
        least, most = entry.parts
        nested = [part for part in self.parts if part.kind == self.kind and part.span is None]
        spanned = [part for part in self.parts if part.span is not None]
        if entry.formula is None or not least <= len(self.parts) <= most:
            raise ConfigError(f"{self.kind} cannot be made of {len(self.parts)} parts")
        if (most > 1 and nested) or (most == 1 and spanned):
            raise ConfigError(f"{self.kind} must be made by its operator, got {self.parts}")
        if self.kind == "chain":
            check_shares(self.parts)

    def _flat(self, kind: str) -> tuple["Schedule", ...]:
        return self.parts if self.kind == kind and self.span is None else (self,)

    def _read_span(self) -> Value:
        return read_setting("span", _SPAN, self.span)


def check_schedule(name: str, value: object) -> None:
    """Refuse what is no schedule, such as the name of one.

    Args:
        name: The setting.
        value: The user's value.

    Raises:
        ConfigError: If it is none.
    """
    if not isinstance(value, Schedule):
        expected = "a schedule, such as cosine(), or parse('cosine') of a name"
        raise ConfigError.of(name, value, expected)


@functools.lru_cache(maxsize=64)
def _block(schedule: Schedule, total_steps: int, index: int) -> list[float]:
    """Return the multipliers of steps 256 x index to 256 x (index + 1), as far as there are."""
    steps = np.arange(index * _BLOCK, min((index + 1) * _BLOCK, total_steps), dtype=np.float64)
    multipliers: list[float] = evaluate(schedule, steps, float(total_steps)).tolist()
    return multipliers

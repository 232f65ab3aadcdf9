"""The types that settings are annotated with, and how they are checked."""

import math
import types
from collections.abc import Sequence
from typing import Annotated, Literal, TypeAlias, Union, get_args, get_origin

import numpy as np
from numpy.typing import NDArray

from autolr.checks import Check, Maybe, OneOf, Real, Several, Value, Whole
from autolr.errors import ConfigError
from autolr.quoting import quoted

_LONGEST = 100  # characters of a value in a message

Array: TypeAlias = NDArray[np.float64]

Share = Annotated[float, Real(0, 1)]
Beta = Annotated[float, Real(0, 1, open="high")]  # share of an average that stays
Positive = Annotated[float, Real(0, open="low")]
NotNegative = Annotated[float, Real(0)]
Finite = Annotated[float, Real(-math.inf)]
Count = Annotated[int, Whole(1)]
Pace = Annotated[float, Real(0, open="low")]  # below 1 a share of the length, from 1 on steps
Span = Annotated[float | None, Maybe(Real(0))]  # up to 1 a share, above 1 steps, None the rest
Table: TypeAlias = Annotated[Sequence[float] | Array, Several((Real(0),))]


def check_of(annotation: object) -> Check:
    """Return the check that a setting's annotation stands for."""
    if get_origin(annotation) is Annotated:
        check: Check = get_args(annotation)[1]
        return check
    if get_origin(annotation) is Literal:
        return OneOf(get_args(annotation))
    if get_origin(annotation) in (Union, types.UnionType):
        inner, _ = get_args(annotation)  # `X | None`
        return Maybe(check_of(inner))
    if annotation is bool:
        return OneOf((False, True))
    raise TypeError(f"no check is known for the annotation {annotation!r}")


def read_setting(name: str, check: Check, value: object) -> Value:
    """Return ``value`` in its stored form.

    Raises:
        ConfigError: If the check refuses it.
    """
    try:
        return check.read(value)
    except ValueError:
        got = quoted(value, _LONGEST)
        raise ConfigError(f"{name} must be {check.expected}, got {got}") from None

"""Cases of a test of which a few run by default, and the others where slow tests do."""

from collections.abc import Iterable, Mapping
from typing import Any

import pytest


def with_slow(cases: Mapping[str, Any] | Iterable[str], *by_default: str) -> list[Any]:
    """Return parameters of a test, of which those not named here are slow.

    Args:
        cases: By name: a value, or a tuple of values; of names alone, each is the value.
        by_default: The names of those that state what is distinct in the cheapest way.
    """
    named = dict(cases) if isinstance(cases, Mapping) else {name: name for name in cases}
    assert set(by_default) <= named.keys()
    return [
        pytest.param(
            *(value if isinstance(value, tuple) else (value,)),
            id=name,
            marks=() if name in by_default else pytest.mark.slow,
        )
        for name, value in named.items()
    ]


def only_with_slow(*values: Any) -> list[Any]:
    """Return values of one parameter with which a test runs only where slow tests do."""
    return [pytest.param(value, marks=pytest.mark.slow) for value in values]

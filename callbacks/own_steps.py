"""Schedulers that a module steps itself, which compute with the own rates too."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from autolr.runtime.rates import Rates


@contextmanager
def stepping_own_rates(scheduler: Any, rates: Rates) -> Iterator[None]:
    """Have the own rates in place in each ``step`` of a scheduler, for a block.

    It becomes an object of a class that differs from its own in this alone: an attribute of the
    object itself would be part of its ``state_dict``.

    Args:
        scheduler: The scheduler.
        rates: The rates of the run's optimizer.
    """
    kind: Any = type(scheduler)

    def step(self: Any, *args: Any, **kwargs: Any) -> Any:
        with rates.own_in_place():
            return kind.step(self, *args, **kwargs)

    local = f"stepping.<locals>.{kind.__qualname__}"  # see `silent_loggers`
    members = {"step": step, "__module__": kind.__module__, "__qualname__": local}
    scheduler.__class__ = type(kind.__name__, (kind,), members)
    try:
        yield
    finally:
        scheduler.__class__ = kind

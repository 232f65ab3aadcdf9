"""The settings of a search, to compare them with those of a search that is resumed."""

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from autolr import schedules

if TYPE_CHECKING:
    from autolr.online.settings import SearchSettings

LENGTH = "the number of steps"
_LONGEST = 60  # characters of a value in a message


def described_settings(
    settings: "SearchSettings", monitor: str, mode: str, others: Mapping[str, object]
) -> dict[str, str]:
    """Return all that a search depends on, by name.

    Args:
        settings: What the user has set.
        monitor: The name of the metric.
        mode: "min" or "max".
        others: What else it depends on, by name.

    Returns:
        The ``repr`` of each value.
    """
    strategy: Any = settings.searcher  # any dataclass
    values: dict[str, object] = {"strategy": type(strategy).__name__}
    values |= {
        f"strategy's {field.name}": getattr(strategy, field.name) for field in fields(strategy)
    }
    values |= {
        "schedule": None if settings.schedule is None else schedules.parse(settings.schedule),
        "rates": None if settings.rates is None else tuple(map(float, settings.rates)),
        "candidates": settings.candidates,
        "monitor": monitor,
        "mode": mode,
    }
    if settings.prior is not None:  # without one checkpoints stay those of earlier versions
        values["prior"] = settings.prior
    return {name: repr(value) for name, value in {**values, **others}.items()}


def differences(stored: Mapping[str, str], present: Mapping[str, str]) -> Iterator[str]:
    """Yield in words each setting that is not what it was.

    Args:
        stored: What `described_settings` returned of the search that is resumed.
        present: What it returns now.
    """
    for name in [*stored, *(name for name in present if name not in stored)]:
        before, now = stored.get(name, "unknown"), present.get(name, "unknown")
        if before == now:
            continue
        short = max(len(before), len(now)) <= _LONGEST
        yield f"{name} was {before}, is {now}" if short else f"another {name}"

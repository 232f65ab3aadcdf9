"""Schedules in the words of other libraries."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from autolr.errors import ConfigError, UnsupportedError
from autolr.schedules.export_transformers import name_of_transformers
from autolr.schedules.momentum import Momentum
from autolr.schedules.optax_code import optax_code
from autolr.schedules.schedule import Schedule, check_schedule
from autolr.settings import Beta, OneOf, Positive, Several, check_of, read_number, read_setting

Target = Literal["transformers", "llamafactory", "axolotl", "torchtune", "optax", "csv"]

_TORCHTUNE = "torchtune.training.get_cosine_schedule_with_warmup"


@dataclass(frozen=True, slots=True)
class Exported:
    """A schedule for another library.

    Attributes:
        text: To paste: YAML, code or a table.
        settings: What the YAML says; empty for code and tables.
        difference: The largest difference between a multiplier of the schedule and what the
            library computes: transformers begins a warm-up at 0 and counts whole steps.
    """

    text: str
    settings: dict[str, Any] = field(default_factory=dict)
    difference: float = 0.0


def export(
    schedule: Schedule,
    total_steps: int,
    to: Target,
    *,
    peak: float | None = None,
    momentum: tuple[float, float] | None = None,
) -> Exported:
    """Return a schedule in the words of another library.

    | to | gives |
    |---|---|
    | transformers, llamafactory | ``lr_scheduler_type``, ``warmup_steps``, its arguments |
    | axolotl | ``lr_scheduler``, ``warmup_steps``, its arguments |
    | torchtune | the component ``lr_scheduler``, which is a cosine |
    | optax | the code of a function of the step |
    | csv | a row for each step |

    Args:
        schedule: Any schedule; the first four know a warm-up before constant, linear, polynomial,
            cosine, inverse square root, restarts of equal length, or constant and a cooldown.
        total_steps: Length of the run, in optimizer steps.
        to: The library.
        peak: The rate where the multiplier is 1. Needed for "optax" and for a linear or polynomial
            decay of transformers that does not end at 0; with it "csv" has the rates.
        momentum: The lowest and the highest, where it is cycled against the rate, see `Momentum`:
            a column of "csv". No other library here has a schedule of the momentum.

    Raises:
        ConfigError: If the schedule does not fit in the run, ``to`` is unknown, ``peak`` is
            not above 0, or a momentum cannot work.
        UnsupportedError: If the library has no such schedule, or needs the peak.

    Source: transformers 5.24 (``optimization.py``), torchtune 0.4, optax 0.2.

    >>> from autolr.schedules import cosine, rex, warmup
    >>> print(export(warmup(50) | cosine(final=0.1), 1000, "transformers").text)
    lr_scheduler_type: cosine_with_min_lr
    warmup_steps: 50
    lr_scheduler_kwargs:
      min_lr_rate: 0.1
    <BLANKLINE>
    """
    read_setting("to", OneOf(tuple(_EXPORTS)), to)
    check_schedule("schedule", schedule)
    if peak is not None:
        peak = read_number("peak", check_of(Positive), peak)
    schedule.values(total_steps)  # refused here if it does not fit
    if momentum is None:
        return _EXPORTS[to](schedule, total_steps, peak)
    cycled = _cycled(schedule, momentum)
    if to != "csv":
        raise UnsupportedError(f"{to} has no schedule of the momentum: export it as 'csv'")
    return _to_csv(schedule, total_steps, peak, cycled)


def _cycled(schedule: Schedule, momentum: tuple[float, float]) -> Momentum:
    pair = read_setting("momentum", Several((check_of(Beta),), low=2), momentum)
    assert isinstance(pair, tuple)
    if len(pair) != 2:
        raise ConfigError.of("momentum", momentum, "two numbers, the lowest and the highest")
    return Momentum(schedule, *momentum)


def _to_yaml(
    name: str, *, says_stable: bool = False
) -> Callable[[Schedule, int, float | None], Exported]:
    """Return the export for a library that builds on transformers.

    Args:
        name: Of the first key.
        says_stable: Whether the library has to be told how many steps are at the peak: where they
            are missing, LLaMA-Factory takes a third of the run (its ``create_custom_scheduler``).
    """

    def convert(schedule: Schedule, total_steps: int, peak: float | None) -> Exported:
        named = name_of_transformers(schedule, total_steps, peak)
        settings: dict[str, Any] = {name: named.name, "warmup_steps": named.warmup_steps}
        arguments = dict(named.arguments)
        if says_stable and "num_decay_steps" in arguments:
            fall = arguments["num_decay_steps"]
            arguments["num_stable_steps"] = total_steps - named.warmup_steps - fall
        if arguments:
            settings["lr_scheduler_kwargs"] = arguments
        theirs = named.multipliers(total_steps, peak or 1.0)
        return _yaml(settings, theirs - schedule.values(total_steps))

    return convert


def _to_torchtune(schedule: Schedule, total_steps: int, peak: float | None) -> Exported:
    named = name_of_transformers(schedule, total_steps, peak)
    if named.name != "cosine":
        raise UnsupportedError(f"torchtune has a warm-up and a cosine to 0 alone, not {schedule}")
    own = {"_component_": _TORCHTUNE, "num_warmup_steps": named.warmup_steps}
    theirs = named.multipliers(total_steps, 1.0)
    return _yaml({"lr_scheduler": own}, theirs - schedule.values(total_steps))


def _yaml(settings: dict[str, Any], differences: Any) -> Exported:
    import yaml  # here: `import autolr` does without

    text = yaml.safe_dump(settings, sort_keys=False)
    return Exported(text, settings, float(np.abs(differences).max()))


def _to_optax(schedule: Schedule, total_steps: int, peak: float | None) -> Exported:
    if peak is None:
        raise UnsupportedError("a schedule of optax is a rate, not a multiplier: give the peak")
    return Exported(optax_code(schedule, total_steps, peak))


def _to_csv(
    schedule: Schedule, total_steps: int, peak: float | None, momentum: Momentum | None = None
) -> Exported:
    multipliers = schedule.values(total_steps)
    columns = {"multiplier": multipliers}
    if peak is not None:
        columns["rate"] = peak * multipliers
    if momentum is not None:
        columns["momentum"] = momentum.values(total_steps)
    rows = [",".join(["step", *columns])]
    for step, values in enumerate(zip(*(one.tolist() for one in columns.values()), strict=True)):
        rows.append(",".join([str(step), *map(repr, values)]))
    return Exported("\n".join([*rows, ""]))


_EXPORTS: dict[str, Callable[[Schedule, int, float | None], Exported]] = {
    "transformers": _to_yaml("lr_scheduler_type"),
    "llamafactory": _to_yaml("lr_scheduler_type", says_stable=True),
    "axolotl": _to_yaml("lr_scheduler"),
    "torchtune": _to_torchtune,
    "optax": _to_optax,
    "csv": _to_csv,
}

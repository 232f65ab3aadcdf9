"""Schedules as transformers' Trainer writes them."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from autolr.errors import UnsupportedError
from autolr.schedules.evaluate import ROUNDING, lengths
from autolr.schedules.schedule import Schedule
from autolr.schedules.transformers_formulas import Named

_DECAYS = ("linear", "cosine", "1-sqrt")  # of its warmup_stable_decay


def name_of_transformers(schedule: Schedule, total_steps: int, peak: float | None) -> Named:
    """Return the schedule of transformers that has the shape of ``schedule``.

    Args:
        schedule: A profile, after a warm-up or not.
        total_steps: Length of the run.
        peak: For those of which transformers wants the last rate.

    Raises:
        UnsupportedError: If transformers has none of that shape.
    """
    parts = schedule.parts if schedule.kind == "chain" else (schedule,)
    spans = lengths(parts, total_steps)
    made = [(part, length) for part, length in zip(parts, spans, strict=True) if length > 0]
    whole = math.isclose(sum(spans), total_steps, rel_tol=ROUNDING)
    rise, start = 0.0, None
    if made and made[0][0].kind == "warmup":
        (first, rise), *made = made
        start, whole = dict(first.settings)["start"], whole or not made
    if not whole or (schedule.kind == "chain" and schedule.span is not None):
        raise _unsupported(schedule)
    named = _named(schedule, made, round(rise), peak)
    if start not in (None, 0.0, named.arguments.get("min_lr_ratio")):
        raise UnsupportedError(f"the warm-up of transformers begins at 0, got start={start:g}")
    return named


def _named(
    schedule: Schedule, body: list[tuple[Schedule, float]], rise: int, peak: float | None
) -> Named:
    """Return it for what follows a rise: pairs of a part and its length."""
    kinds = [part.kind for part, _ in body]
    if kinds in ([], ["constant"]):
        return Named("constant_with_warmup" if rise else "constant", rise, {})
    last, length = body[-1]
    given = dict(last.settings)
    if kinds[:-1] == ["constant"] or kinds == ["cooldown"]:
        return Named("warmup_stable_decay", rise, _decay(schedule, last, round(length)))
    if len(kinds) > 1 or kinds[0] not in _BODIES:
        raise _unsupported(schedule)
    found = _BODIES[kinds[0]](given, length, peak)
    if found is None:
        raise _unsupported(schedule)
    return Named(found[0], rise, found[1])


def _decay(schedule: Schedule, last: Schedule, steps: int) -> dict[str, Any]:
    given = dict(last.settings)
    shape = given["shape"] if last.kind == "cooldown" else last.kind
    if shape not in _DECAYS or given.get("exponent", 1.0) != 1:
        raise _unsupported(schedule)
    return {
        "num_decay_steps": steps,
        "decay_type": shape,
        "min_lr_ratio": given["final"] or 0.0,
    }


_Found = tuple[str, dict[str, Any]] | None


def _linear(given: Mapping[str, Any], length: float, peak: float | None) -> _Found:
    if given["final"] == 0:
        return "linear", {}
    return _powers({"power": 1.0, **given}, length, peak)


def _powers(given: Mapping[str, Any], length: float, peak: float | None) -> _Found:
    if given["final"] > 0 and peak is None:
        raise UnsupportedError("transformers wants the last rate of this schedule: give the peak")
    end = given["final"] * (peak or 0.0)
    return ("polynomial", {"power": given["power"], "lr_end": end}) if given["final"] < 1 else None


def _cosines(given: Mapping[str, Any], length: float, peak: float | None) -> _Found:
    if given["exponent"] != 1:
        return None
    if given["final"] == 0:
        return "cosine", {}
    return "cosine_with_min_lr", {"min_lr_rate": given["final"]}


def _restarts(given: Mapping[str, Any], length: float, peak: float | None) -> _Found:
    if given["growth"] != 1 or given["final"] != 0:
        return None
    return "cosine_with_restarts", {"num_cycles": given["cycles"]}


def _inverse_sqrt(given: Mapping[str, Any], length: float, peak: float | None) -> _Found:
    tau = given["tau"] * length if given["tau"] < 1 else given["tau"]
    return "inverse_sqrt", {"timescale": int(tau) if tau == int(tau) else tau}


_BODIES: dict[str, Callable[[Mapping[str, Any], float, float | None], _Found]] = {
    "linear": _linear,
    "polynomial": _powers,
    "cosine": _cosines,
    "sgdr": _restarts,
    "inverse_sqrt": _inverse_sqrt,
}


def _unsupported(schedule: Schedule) -> UnsupportedError:
    return UnsupportedError(
        f"transformers has no schedule of the shape {schedule}: export it as 'csv' or 'optax', or "
        "use torch's LambdaLR(optimizer, schedule.timed(total_steps))"
    )

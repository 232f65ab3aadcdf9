"""Schedules as the code of a function for optax, which takes any function of the step."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from autolr.errors import UnsupportedError
from autolr.quoting import shortened
from autolr.schedules.evaluate import ROUNDING, lengths, snap, within
from autolr.schedules.schedule import Schedule

_LONGEST = 70  # characters of a schedule in the comment
_BELL = "(1 + jnp.cos(jnp.pi * {u})) / 2"
_FALLS = {
    "linear": "1 - {u}",
    "1-sqrt": "1 - jnp.sqrt({u})",
    "cosine": _BELL,
    "1-square": "1 - {u} ** 2",
    "mirror-cosine": f"2 * (1 - {{u}}) - {_BELL}",
}
_FORMULAS = {  # of the step k in a part, the part's length n and the progress u = k / n
    "constant": "jnp.ones_like({k})",
    "cosine": f"{{final}} + (1 - {{final}}) * ({_BELL}) ** {{exponent}}",
    "exponential": "{final} ** {u}",
    "inverse_sqrt": "1 / jnp.sqrt(1 + {k} / {steps})",
    "linear": "{final} + (1 - {final}) * (1 - {u})",
    "piecewise": "jnp.interp({u}, jnp.asarray({progress}), jnp.asarray({multipliers}))",
    "polynomial": "{final} + (1 - {final}) * (1 - {u}) ** {power}",
    "power_law": "jnp.maximum(1.0, {k} / {steps}) ** -{exponent}",
    "rex": "(1 - {u}) / (1 - {beta} * {u})",
    "tabulated": "jnp.interp({u}, jnp.arange({count}) / {count}, jnp.asarray({table}))",
    "uba": f"2 * {_BELL} / ({{phi}} + (2 - {{phi}}) * {_BELL})",
}
_OPERATORS = {
    "scale": "{by} * {m}",
    "floor": "{level} + (1 - {level}) * {m}",
    "power": "{m} ** {exponent}",
}


def optax_code(schedule: Schedule, total_steps: int, peak: float) -> str:
    """Return the code of a function of the step that returns the rate.

    Args:
        schedule: The schedule.
        total_steps: Length of the run.
        peak: The rate where the multiplier is 1.

    Raises:
        UnsupportedError: If a part has a profile whose formula is not known here.
    """
    code = _Code()
    result = code.add(schedule, code.line("jnp.asarray(count, dtype=float)"), float(total_steps))
    comment = f"# {shortened(str(schedule), _LONGEST)}, {total_steps} steps"
    body = [comment, *code.lines, f"return {peak!r} * {result}"]
    head = ["import jax.numpy as jnp", "", "", "def schedule(count):"]
    return "\n".join([*head, *(f"    {line}" for line in body), ""])


@dataclass
class _Code:
    """Lines that assign to the names x0, x1 and so on."""

    lines: list[str] = field(default_factory=list)

    def line(self, value: str) -> str:
        self.lines.append(f"x{len(self.lines)} = {value}")
        return self.lines[-1].partition(" ")[0]

    def add(self, schedule: Schedule, k: str, n: float) -> str:
        """Return the name of the multiplier at step ``k`` of ``n``; as `evaluate`."""
        (length,) = lengths((schedule,), n)
        return self._within(schedule, self.line(f"jnp.clip({k}, 0.0, {length!r})"), length)

    def _within(self, schedule: Schedule, k: str, n: float) -> str:
        kind, given = schedule.kind, dict[str, Any](schedule.settings)
        if n == 0:
            return self.line(f"jnp.ones_like({k})")
        if kind == "chain":
            return self._chain(schedule, k, n)
        if kind == "product":
            return self.line(" * ".join([self.add(part, k, n) for part in schedule.parts]))
        if kind == "every":
            pace = given["pace"] * n if given["pace"] < 1 else given["pace"]
            sampled = self.line(f"jnp.floor({k} / {pace!r} + {ROUNDING!r}) * {pace!r}")
            return self.add(schedule.parts[0], sampled, n)
        if kind in _OPERATORS:
            inner = self.add(schedule.parts[0], k, n)
            return self.line(_OPERATORS[kind].format(m=inner, **given))
        formula, values = _formula(kind, given, n)
        u = self.line(f"{k} / {n!r}")
        return self.line(formula.format(k=k, u=u, n=n, **values))

    def _chain(self, schedule: Schedule, k: str, n: float) -> str:
        start, level, result = 0.0, 1.0, ""
        for part, length in zip(schedule.parts, lengths(schedule.parts, n), strict=True):
            own = self.line(f"jnp.clip({k} - {start!r}, 0.0, {length!r})")
            value = self.line(f"{level!r} * {self._within(part, own, length)}")
            chosen = f"jnp.where({k} >= {start!r}, {value}, {result})"
            result = self.line(chosen) if result else value
            level *= float(within(part, np.array([length]), length)[0])
            start = snap(start + length)
        return result


def _formula(kind: str, given: Mapping[str, Any], n: float) -> tuple[str, Mapping[str, Any]]:
    """Return the formula of a profile, and what it is filled in with."""
    if kind not in (*_FORMULAS, "warmup", "cooldown"):
        raise UnsupportedError(f"no code for optax is known for {kind}: export it as 'csv'")
    if kind == "warmup":
        rise = "{start} + (1 - {start}) * {u}"
        return ("jnp.minimum(1.0, ({k} + 1) / {n})" if given["start"] is None else rise), given
    if kind == "cooldown" and given["shape"] == "exp":
        return _FORMULAS["exponential"], {"final": given["final"] or 0.01}
    if kind == "cooldown":
        fall = "{final} + (1 - {final}) * (" + _FALLS[given["shape"]] + ")"
        return fall, {"final": given["final"] or 0.0}
    if "tau" in given:
        steps = given["tau"] * n if given["tau"] < 1 else given["tau"]
        return _FORMULAS[kind], {**given, "steps": steps}
    if kind == "piecewise":
        progress, multipliers = (list(column) for column in zip(*given["points"], strict=True))
        return _FORMULAS[kind], {"progress": progress, "multipliers": multipliers}
    if kind == "tabulated":
        return _FORMULAS[kind], {"table": list(given["table"]), "count": len(given["table"])}
    return _FORMULAS[kind], given

"""The schedules of transformers, by its formulas."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from autolr.settings import Array


@dataclass(frozen=True, slots=True)
class Named:
    """A schedule of transformers: a name and what goes with it.

    Attributes:
        name: ``lr_scheduler_type``.
        warmup_steps: Steps of the rise.
        arguments: ``lr_scheduler_kwargs``.
    """

    name: str
    warmup_steps: int
    arguments: Mapping[str, Any]

    def multipliers(self, total_steps: int, peak: float) -> Array:
        """Return what transformers computes, shape (total_steps,), by its formulas.

        Args:
            total_steps: Length of the run.
            peak: The rate, of which an ``lr_end`` is a share.
        """
        k, rise = np.arange(total_steps, dtype=np.float64), self.warmup_steps
        low = self.arguments.get("min_lr_ratio", 0.0) if self.name == "warmup_stable_decay" else 0.0
        risen = low + (1 - low) * k / max(1, rise)
        left = np.clip(k - rise, 0, None)
        body = _FORMULAS[self.name](left, max(1, total_steps - rise), self.arguments, peak)
        return np.where(k < rise, risen, body)


_Formula = Callable[[Array, int, Mapping[str, Any], float], Array]


def _cosine(s: Array, low: float = 0.0) -> Array:
    return low + (1 - low) * (1 + np.cos(np.pi * s)) / 2


def _polynomial(k: Array, n: int, given: Mapping[str, Any], peak: float) -> Array:
    low = given["lr_end"] / peak
    return np.asarray(low + (1 - low) * (1 - k / n) ** given["power"], dtype=np.float64)


def _stable_decay(k: Array, n: int, given: Mapping[str, Any], peak: float) -> Array:
    u = np.clip((k - n + given["num_decay_steps"]) / max(1, given["num_decay_steps"]), 0, 1)
    shapes = {"linear": 1 - u, "cosine": _cosine(u), "1-sqrt": 1 - np.sqrt(u)}
    low = given["min_lr_ratio"]
    return np.asarray(low + (1 - low) * shapes[given["decay_type"]], dtype=np.float64)


_FORMULAS: dict[str, _Formula] = {
    "constant": lambda k, n, given, peak: np.ones_like(k),
    "constant_with_warmup": lambda k, n, given, peak: np.ones_like(k),
    "linear": lambda k, n, given, peak: 1 - k / n,
    "polynomial": _polynomial,
    "cosine": lambda k, n, given, peak: _cosine(k / n),
    "cosine_with_min_lr": lambda k, n, given, peak: _cosine(k / n, given["min_lr_rate"]),
    "cosine_with_restarts": lambda k, n, given, peak: _cosine(given["num_cycles"] * k / n % 1),
    "inverse_sqrt": lambda k, n, given, peak: 1 / np.sqrt(1 + k / given["timescale"]),
    "warmup_stable_decay": _stable_decay,
}

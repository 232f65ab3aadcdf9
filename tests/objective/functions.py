"""A problem with a known course, as functions that a study can tune.

A step on ``x ** 2`` multiplies x by ``1 - rate``, from x = 1.
"""

from typing import Any

import autolr

SPACE: dict[str, Any] = {"lr": {"low": 0.001, "high": 0.5, "log": True}, "power": [2, 4]}


def resumed(trial: autolr.Trial) -> float:
    """Save and report at each rung."""
    x, step = trial.load() or (1.0, 0)
    while step < trial.max_steps:
        while step < trial.stop_at:
            x *= 1 - trial.rate(step)
            step += 1
        trial.save((x, step))
        trial.report(abs(x) ** trial.settings.power, step)
    return float(abs(x) ** trial.settings.power)


def begun_anew(trial: autolr.Trial) -> None:
    """Report after each second step, and save nothing."""
    x = 1.0
    for step in range(trial.max_steps):
        x *= 1 - trial.rate(step)
        if step % 2:
            trial.report(abs(x), step + 1)


class Static:
    """Holds a function that can be imported, and one that belongs to an object."""

    @staticmethod
    def objective(trial: autolr.Trial) -> float:
        """Return the seed."""
        return float(trial.seed)

    def method(self, trial: autolr.Trial) -> float:
        """Return the seed."""
        return float(trial.seed)

    def __call__(self, trial: autolr.Trial) -> float:
        """Return the seed."""
        return float(trial.seed)

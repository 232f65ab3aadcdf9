"""Trials an hour with one worker and two: ``python -m examples.scale.speed [TRIALS [ROUNDS]]``.

The study of examples/digits, no pruning; from the first trial's start to the last one's end, for
workers import torch before that. On as many idle cores as there are workers. One and two take
turns, for a machine that others share is not always equally fast; the medians are compared.
"""

import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from autolr import tune
from autolr.driver import Event, TrialEnded, TrialStarted

_CONFIG = Path(__file__).parents[1] / "digits" / "tune.yaml"


def main(trials: int, rounds: int) -> None:
    """Run the studies and print their speed."""
    speed: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(rounds):
        for workers, rates in speed.items():
            rates.append(_trials_an_hour(workers, trials))
    for workers, rates in speed.items():
        each = ", ".join(f"{rate:.0f}" for rate in rates)
        print(f"{workers} worker{'s' * (workers > 1)}: {each} trials an hour")
    print(f"ratio of the medians {median(speed[2]) / median(speed[1]):.2f}")


def _trials_an_hour(workers: int, trials: int) -> float:
    began: list[float] = []
    ended: list[float] = []

    def listen(event: Event) -> None:
        if isinstance(event, TrialStarted):
            began.append(time.monotonic())
        if isinstance(event, TrialEnded):
            ended.append(time.monotonic())

    with tempfile.TemporaryDirectory() as folder:
        settings: dict[str, Any] = {
            "storage": f"sqlite:///{folder}/runs.db",
            "out": folder,
            "pruner": "none",
        }
        settings |= {"trial_timeout": 3600}  # one worker is a process too
        tune(_CONFIG, trials=trials, workers=workers, listener=listen, **settings)
    return 3600 * len(ended) / (max(ended) - min(began))


if __name__ == "__main__":
    asked = [int(word) for word in sys.argv[1:]]
    main(*asked, *(12, 5)[len(asked) :])

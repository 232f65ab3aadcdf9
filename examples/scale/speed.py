"""Trials an hour with one worker and two: ``python -m examples.scale.speed [TRIALS [ROUNDS]]``.

The study of examples/digits without pruning, timed from the start of the first trial to the end of
the last one, so without the imports of the workers. It needs an idle core for each worker. Studies
with one and with two workers alternate, because a shared machine varies in speed; the script
compares medians.
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
        settings |= {"trial_timeout": 3600}  # with a timeout, a single worker is a process too
        tune(_CONFIG, trials=trials, workers=workers, listener=listen, **settings)
    return 3600 * len(ended) / (max(ended) - min(began))


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:]]
    main(*given, *(12, 5)[len(given) :])

"""Runs of the scripts in this folder: stored in runs.csv, and made where they are missing."""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.interpolate import Akima1DInterpolator

from autolr.schedules import Schedule
from examples.time_to_target.loop import train
from examples.time_to_target.stacked import Config, train_stacked
from examples.time_to_target.workloads import make

STACKED = ("logreg_digits", "mlp_flights", "finetune_digits")
"""Workloads of which many runs are trained at once."""

SEEDS = (0, 1, 2)
LOST = 100.0  # what a run that diverged counts as, over the best

_FILE = Path(__file__).with_name("runs.csv")
_KEY = ["workload", "seed", "scale", "peak", "schedule"]


def finals(
    workload: str,
    configs: Sequence[Config],
    schedules: Mapping[str, Schedule],
    *,
    seeds: Sequence[int] = SEEDS,
    scale: float = 1.0,
) -> NDArray[np.float64]:
    """Return the final validation losses of runs, shape (configs, seeds); infinite where lost.

    Args:
        workload: The task.
        configs: A peak and the name of a schedule each. Runs are stored by the name.
        schedules: The schedules by name.
        seeds: Of the task.
        scale: Of the run's length.
    """
    configs = [(float(f"{peak:.4g}"), name) for peak, name in configs]
    known = _stored()
    missing = [
        config
        for config in dict.fromkeys(configs)
        if any((workload, seed, scale, *config) not in known for seed in seeds)
    ]
    if missing:
        _append(_trained(workload, missing, schedules, seeds, scale))
        known = _stored()
    return np.array(
        [[known[workload, seed, scale, *config] for seed in seeds] for config in configs]
    )


def kept(key: tuple[str, int, float, float, str], make_final: Callable[[], float]) -> float:
    """Return the stored final loss of one run; it is made where it is missing.

    Args:
        key: Workload, seed, scale, peak and schedule, or what stands for them.
        make_final: Makes the run.
    """
    if key not in (known := _stored()):
        _append([[*key, make_final()]])
        known = _stored()
    return known[key]


def best_of(peaks: Sequence[float], losses: Sequence[float]) -> tuple[float, float]:
    """Return the peak with the lowest loss on a smooth curve through finite points, and that loss.

    Args:
        peaks: Of a grid, rising.
        losses: At these peaks.
    """
    curve = log_curve(peaks, losses)
    x = np.linspace(curve.x[0], curve.x[-1], 2001)
    index = int(np.argmin(curve(x)))
    return math.exp(x[index]), math.exp(curve(x)[index])


def log_curve(peaks: Sequence[float], losses: Sequence[float]) -> Akima1DInterpolator:
    """Return log loss as a smooth function of the log of the peak, through the finite points.

    Args:
        peaks: Of a grid, rising.
        losses: At these peaks.
    """
    points = [(a, b) for a, b in zip(peaks, losses, strict=True) if math.isfinite(b)]
    return Akima1DInterpolator(*np.log(np.array(points)).T)


def geometric(ratios: Sequence[float] | NDArray[np.float64]) -> float:
    """Return the geometric mean of ratios, each at most `LOST`."""
    return float(np.exp(np.log(np.minimum(ratios, LOST)).mean()))


def _trained(
    workload: str,
    configs: Sequence[Config],
    schedules: Mapping[str, Schedule],
    seeds: Sequence[int],
    scale: float,
) -> list[list[object]]:
    torch.set_num_threads(1)
    if workload in STACKED:
        tasks = [make(workload, seed, scale) for seed in seeds]
        runs = [
            [run.final for run in of_seed] for of_seed in train_stacked(tasks, configs, schedules)
        ]
    else:
        runs = [
            [_once(workload, seed, scale, peak, schedules[name]) for peak, name in configs]
            for seed in seeds
        ]
    return [
        [workload, seed, scale, *config, final]
        for seed, of_seed in zip(seeds, runs, strict=True)
        for config, final in zip(configs, of_seed, strict=True)
    ]


def _once(workload: str, seed: int, scale: float, peak: float, schedule: Schedule) -> float:
    task = make(workload, seed, scale)
    return train(task, task.make_optimizer(peak), schedule).final


def _stored() -> dict[tuple[object, ...], float]:
    if not _FILE.exists():
        return {}
    rows = pd.read_csv(_FILE).drop_duplicates(_KEY, keep="last")
    return {tuple(key): final for *key, final in rows.itertuples(index=False, name=None)}


def _append(rows: list[list[object]]) -> None:
    frame = pd.DataFrame(rows, columns=[*_KEY, "final"])
    frame.to_csv(_FILE, mode="a", header=not _FILE.exists(), index=False)

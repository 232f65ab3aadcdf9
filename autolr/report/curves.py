"""A trial's metric over its steps, from its log."""

import json
import math
from collections.abc import Sequence
from pathlib import Path

from autolr.drawing import Point
from autolr.report.price import steps_of
from autolr.study import RUNS, TrialRecord


def curve(trial: TrialRecord, monitor: str, folder: Path | None) -> list[Point]:
    """Return a trial's metric over optimizer steps, finite values only.

    Args:
        trial: The trial.
        monitor: The metric.
        folder: The study's results, with ``trial_N/metrics.jsonl``; without this file, the curve
            has the scores at rungs and the final value.
    """
    file = None if folder is None else folder / f"trial_{trial.number}" / "metrics.jsonl"
    if file is not None and file.is_file() and (logged := _logged(file, monitor)):
        return logged
    points = {float(step): score for step, score in trial.scores.items()}
    if trial.value is not None and (steps := steps_of(trial)):
        points[steps / len(trial.attrs.get(RUNS, [None]))] = trial.value
    return [(step, score) for step, score in sorted(points.items()) if math.isfinite(score)]


def thinned(points: Sequence[Point], most: int) -> list[Point]:
    """Return at most ``most`` of the points, evenly, with the first and the last one.

    Args:
        points: In order.
        most: At least 2.

    >>> thinned([(float(step), 0.0) for step in range(9)], 3)
    [(0.0, 0.0), (4.0, 0.0), (8.0, 0.0)]
    """
    if len(points) <= most:
        return list(points)
    return [points[round(k * (len(points) - 1) / (most - 1))] for k in range(most)]


def _logged(file: Path, monitor: str) -> list[Point]:
    """Return the metric of all lines that have it; the line of step k was written after k + 1."""
    points = {}
    with file.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            try:
                row = json.loads(line)
                step, value = float(row["step"] or 0), float(row[monitor])
            except (
                ValueError,
                KeyError,
                TypeError,
            ):  # another metric, not finite, or an incomplete line
                continue
            if math.isfinite(value):
                points[step + 1] = value
    return sorted(points.items())

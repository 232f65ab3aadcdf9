"""The norms of a run's gradients in a folder, and the schedule that they ask for."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import numpy as np

from autolr import schedules
from autolr.atomic import write_atomically
from autolr.disk import disk_errors, read_text, why_unread
from autolr.errors import ConfigError
from autolr.result.files import load_result
from autolr.rules.fixed import OWN
from autolr.schedules import Schedule

NORMS, REFINED = "norms.json", "refined.json"
_POINTS = 201  # of a refined schedule: its norms are smoothed over a tenth of the run
_LAST = 0.1  # of the steps: where all of these have no norm, the run diverged
_LARGEST = 2**24  # bytes of a file of norms: 20,000 take half a megabyte
Kind = Literal["l1", "l2"]


@dataclass(frozen=True, slots=True)
class Norms:
    """The norms of a run's gradients, before clipping.

    Attributes:
        kind: "l2", or "l1" for the sum of absolute values.
        values: One for each step, or some evenly spaced ones. NaN: that of a step that a gradient
            scaler skipped, or of a run that diverged.
        total_steps: Optimizer steps of the run.
    """

    kind: Kind
    values: tuple[float, ...]
    total_steps: int

    def write(self, folder: Path) -> None:
        """Write them into a folder, made if missing.

        Raises:
            StorageError: If the disk is full or read-only.
        """
        values = [float(f"{x:.6g}") if math.isfinite(x) else None for x in self.values]
        mapping = {"norm": self.kind, "total_steps": self.total_steps, "values": values}
        with disk_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            write_atomically(folder / NORMS, json.dumps(mapping) + "\n")

    @classmethod
    def read(cls, folder: Path) -> "Norms":
        """Return the norms that `write` wrote into a folder.

        Raises:
            ConfigError: If there are none.
        """
        file = folder / NORMS
        if not file.is_file():
            expected = f"a folder with {NORMS}, which the callback RecordNorms writes"
            raise ConfigError.of("run", str(folder), expected)
        try:
            stored = json.loads(read_text(file, _LARGEST))
            kind, values = cast("Kind", stored["norm"]), stored["values"]
            numbers = tuple(math.nan if value is None else float(value) for value in values)
            return cls(kind, numbers, int(stored["total_steps"]))
        except (LookupError, OSError, TypeError, ValueError) as error:
            raise ConfigError(f"{file} has no norms: {why_unread(error)}") from None

    def filled(self) -> list[float]:
        """Return them with lines across the gaps.

        Raises:
            ConfigError: If more than half are missing, or the last tenth is: the run diverged.
        """
        values = np.array(self.values, dtype=np.float64)
        known = np.isfinite(values)
        last = known[-max(1, round(_LAST * len(known))) :]
        if len(values) and (2 * known.sum() < len(values) or not last.any()):
            seen = f"{known.sum()} of {len(values)} steps"
            raise ConfigError(f"the gradients were finite at {seen} only: the run diverged")
        steps = np.arange(len(values))
        filled = np.interp(steps, steps[known], values[known]) if known.any() else values
        numbers: list[float] = np.asarray(filled).tolist()
        return numbers


@dataclass(frozen=True, slots=True)
class Refined:
    """The schedule that the gradients of a run ask for.

    Attributes:
        schedule: A `tabulated` one.
        peak: That of the run, moved to it; None: the folder has no result with one.
        norms: Of the run.
    """

    schedule: Schedule
    peak: float | None
    norms: Norms


def refine_run(folder: Path) -> Refined:
    """Return the refined schedule of a run, with the peak of its result moved to it.

    Args:
        folder: Has the norms of the run, and perhaps its result.

    Raises:
        ConfigError: If it has no norms, or they give no schedule; see `autolr.schedules.refine`.
    """
    norms = Norms.read(folder)
    try:
        table = schedules.refine(norms.filled(), norm=norms.kind).values(_POINTS - 1)
    except ConfigError as error:
        raise ConfigError(f"{folder / NORMS}: {error}") from None
    schedule = schedules.tabulated([*np.round(table / table.max(), 4).tolist(), 0.0])
    return Refined(schedule, _moved_peak(folder, schedule), norms)


def _moved_peak(folder: Path, schedule: Schedule) -> float | None:
    if not (folder / "result.json").is_file():
        return None
    result = load_result(folder)
    if result.peak is None or result.rule != OWN:  # that of another rule is no rate
        return None
    if result.own_peak is not None:  # the shape of the run is not known
        return None
    steps = result.total_steps
    return schedules.transfer(result.peak, result.schedule, steps, schedule, steps)


def refined_lines(folder: Path) -> list[str]:
    """Write ``refined.json`` beside the norms of a run; return what the user reads.

    Args:
        folder: See `refine_run`.

    Raises:
        ConfigError: As `refine_run`.
        StorageError: If the disk is full or read-only.
    """
    refined, file = refine_run(folder), folder / REFINED
    with disk_errors(folder):
        write_atomically(file, json.dumps(refined.schedule.to_dict()) + "\n")
    shares = np.linspace(0, 0.9, 10)
    shape = " ".join(f"{refined.schedule.at(share, 1):.2f}" for share in shares)
    peak = "PEAK" if refined.peak is None else f"{refined.peak:.3g}"
    count = f"{len(refined.norms.values)} {refined.norms.kind} norms"
    return [
        f"refined schedule of {count}, at each tenth of a run: {shape}",
        "peak: that of the run" if refined.peak is None else f"peak: {peak}",
        f"wrote {file}",
        f"schedule = autolr.schedules.parse(json.load(open({json.dumps(str(file))})))",
        f"FollowCandidate({peak}, schedule), or at lr={peak} "
        "LambdaLR(optimizer, schedule.timed(total_steps))",
    ]

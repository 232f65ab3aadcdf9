"""`autolr.tune` over (peak, profile), trained for real, within a budget of steps.

    python -m examples.time_to_target.live_studies --workloads logreg_digits --seeds 0 1

runs one study for each workload and seed until it has made the steps of ten runs, and prints what
its best finished trial had reached by the steps of 3, 5 and 10, over the oracle. Studies that are
in the file already are not run again.
"""

import argparse
import csv
import json
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

import autolr
from autolr.driver import Event, TrialEnded
from examples.time_to_target.live_task import TaskModule
from examples.time_to_target.loop import PROFILES
from examples.time_to_target.oracle import Oracle, load_oracle, oracle_of
from examples.time_to_target.outcome import Ledger, Outcome
from examples.time_to_target.workloads import ALL, GROUPS, HARD_STARTS, WORKLOADS, expanded, make

RUNS = (3, 5, 10)
"""Budgets of the benchmark's rows, in runs."""

_PROFILES = {  # those of `PROFILES`
    "schedule": list(PROFILES),
    "warmup": {"choices": [0.05], "when": {"schedule": ["cosine", "wsd"]}},
    "cooldown": {"choices": [0.2], "when": {"schedule": "wsd"}},
}
_HERE = "examples.time_to_target.live_task"
_ENOUGH = 4096  # trials: the budget of steps ends a study before


class _Spent(BaseException):
    """Ends a study whose budget is spent; no Exception, so that nothing catches it."""


@dataclass
class Trace:
    """What a study had reached after how many steps.

    Attributes:
        finished: (steps of all trials, final loss, peak) of each trial that ended whole.
    """

    finished: list[tuple[int, float, float]] = field(default_factory=list)

    def best(self, steps: float) -> tuple[float, float]:
        """Return the lowest final loss within so many steps, and its peak."""
        within = [(loss, peak) for at, loss, peak in self.finished if at <= steps]
        return min(within, default=(math.inf, math.nan))


def trace(name: str, seed: int, scale: float, runs: float, ledger: Ledger, **tune: Any) -> Trace:
    """Run a study for the steps of ``runs`` runs; a trial counts when its last step is among them.

    Args:
        name: The workload.
        seed: Of the workload, and of the study.
        scale: Of its length.
        runs: The budget.
        ledger: Counts the steps of all trials, those of searches inside them too.
        tune: Settings of the study that differ from its defaults.
    """
    result, budget = Trace(), runs * make(name, seed, scale).steps

    def listen(event: Event) -> None:
        if isinstance(event, TrialEnded) and event.trial.value is not None:
            peak = event.trial.attrs["found"]["peak"]
            result.finished.append((ledger.steps, event.trial.value, peak))
        if ledger.steps >= budget:
            raise _Spent

    with TemporaryDirectory() as folder, ledger.counting(), suppress(_Spent):
        autolr.tune(_config(name, seed, scale, folder, tune), listener=listen)
    return result


def live_study(runs: int, name: str, seed: int, scale: float) -> Outcome:
    """Return what `autolr.tune` reaches at its defaults for the steps of ``runs`` runs.

    Args:
        runs: The budget.
        name: The workload.
        seed: Of the workload, and of the study.
        scale: Of its length.
    """
    ledger, steps, before = Ledger(), make(name, seed, scale).steps, TaskModule.passes
    final, peak = trace(name, seed, scale, runs, ledger).best(runs * steps)
    ledger.validation_passes = TaskModule.passes - before
    ledger.busy_seconds = math.nan  # not measured
    ledger.steps = min(ledger.steps, runs * steps)  # what ended later does not count
    return ledger.outcome(final, peak, steps, lost=not math.isfinite(final))


def _config(
    name: str, seed: int, scale: float, folder: str, tune: Mapping[str, Any]
) -> dict[str, Any]:
    task = make(name, seed, scale)
    arguments = {"name": name, "seed": seed, "scale": scale}
    lr = {"low": min(task.peaks), "high": max(task.peaks), "log": True}
    section = {
        "space": {"lr": lr, **_PROFILES},
        "trials": _ENOUGH,
        "storage": f"sqlite:///{folder}/study.db",
        "out": f"{folder}/out",
    }
    return {
        "seed_everything": seed,
        "model": {"class_path": f"{_HERE}.TaskModule", "init_args": arguments},
        "data": {"class_path": f"{_HERE}.TaskData", "init_args": arguments},
        "trainer": {
            "accelerator": "cpu",
            "devices": 1,
            "max_steps": task.steps,
            "gradient_clip_val": task.clip,
            "num_sanity_val_steps": 0,
            "logger": False,
        },
        "tune": {**section, **tune},
    }


def _row(name: str, seed: int, oracle: Oracle, tune: Mapping[str, Any]) -> list[object]:
    """Run a study; return what it had reached at each budget, over the oracle."""
    ledger, steps = Ledger(), make(name, seed).steps
    reached = trace(name, seed, 1.0, RUNS[-1], ledger, **tune)
    ratios = [oracle.ratio(reached.best(runs * steps)[0]) for runs in RUNS]
    return [json.dumps(tune, sort_keys=True), name, seed, *(f"{ratio:.5g}" for ratio in ratios)]


def _print(rows: Sequence[Sequence[str]]) -> None:
    for row in rows:
        print(f"{row[1]:20} seed {row[2]}: {' '.join(row[3:])}")
    logs = np.log([[float(cell) for cell in row[3:]] for row in rows])
    print(f"{'geometric mean':20}       : {' '.join(f'{r:.3f}' for r in np.exp(logs.mean(0)))}")


def main(argv: Sequence[str] | None = None) -> None:
    """Run the studies that a file lacks; print final / oracle at 3, 5 and 10 runs."""
    parser = argparse.ArgumentParser(description=__doc__)
    names = [*(name for name in ALL if name not in HARD_STARTS), *GROUPS]
    parser.add_argument("--workloads", nargs="+", default=list(WORKLOADS), choices=names)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--tune", type=json.loads, default={}, help="settings of tune:, as JSON")
    parser.add_argument("--out", type=Path, default=Path("live_studies.csv"))
    arguments = parser.parse_args(argv)
    grid, done = load_oracle(), []
    if arguments.out.exists():
        done = list(csv.reader(arguments.out.open(encoding="utf-8")))
    rows = []
    for seed in arguments.seeds:
        for name in expanded(arguments.workloads):
            key = [json.dumps(arguments.tune, sort_keys=True), name, str(seed)]
            row = next((row for row in done if row[:3] == key), None)
            if row is None:
                row = list(map(str, _row(name, seed, oracle_of(name, grid=grid), arguments.tune)))
                with arguments.out.open("a", newline="", encoding="utf-8") as file:
                    csv.writer(file).writerow(row)
            rows.append(row)
    _print(rows)


if __name__ == "__main__":
    main()

"""Policies of the online search against each other, in plain PyTorch on the benchmark's workloads.

python -m examples.time_to_target.policies --seeds 0 1 --jobs 2
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from multiprocessing import get_context
from typing import Any

import numpy as np
import torch

import autolr
from autolr import schedules
from autolr.online import Annealed, Check, Thresholds
from autolr.schedules import Schedule
from examples.time_to_target.loop import is_lost
from examples.time_to_target.oracle import oracle_of
from examples.time_to_target.tasks_base import Batches
from examples.time_to_target.workloads import WORKLOADS

_THREE = ("constant", "linear", "cosine")  # profiles of the oracle
_LOST = 100.0  # what a run that diverged counts as

_DEFAULT = Annealed()
_REFINE, *_LATER = (check for check in _DEFAULT.checks if check.factors)
_WATCHES = [check for check in _DEFAULT.checks if not check.factors]


def _checks(*checks: Check, watched: bool = True) -> Annealed:
    return replace(_DEFAULT, checks=(*checks, *(_WATCHES if watched else ())))


def _with_thresholds(**changes: Any) -> Annealed:
    return replace(_DEFAULT, thresholds=replace(Thresholds(), **changes))


def _ending(cooldown: float) -> Schedule:
    end = schedules.cooldown(cooldown, "linear")
    return schedules.warmup(0.01) | schedules.constant() | end


POLICIES: dict[str, tuple[Annealed, Schedule | None]] = {
    "default": (_DEFAULT, None),
    "race only": (_checks(watched=False), None),
    "race, refined": (_checks(_REFINE, watched=False), None),
    "without the last check": (_checks(_REFINE, _LATER[0]), None),
    "never put back": (_with_thresholds(rollbacks=0), None),
    "put back at 2 %": (_with_thresholds(band=0.02), None),
    "best of the race, no tie": (_with_thresholds(tie=0.0), None),
    "rivals need no share of the progress": (_with_thresholds(stall=0.0), None),
    "both sides at every check": (_with_thresholds(settled=1e9), None),
    "race of 4 %": (replace(_DEFAULT, race=0.04), None),
    "linear end of 20 %": (_DEFAULT, _ending(0.2)),
    "linear end of 60 %": (_DEFAULT, _ending(0.6)),
    "linear from the start": (_DEFAULT, schedules.warmup(0.01) | schedules.linear()),
}


def run(policy: str, workload: str, seed: int) -> tuple[float, float, int]:
    """Return final / oracle, the price, and the number of rollbacks."""
    torch.set_num_threads(1)
    strategy, schedule = POLICIES[policy]
    task = WORKLOADS[workload](seed, 1.0)
    initial = task.validate(task.model)
    torch.manual_seed(seed)
    learner = autolr.TorchLearner(
        task.model,
        task.make_optimizer(1.0),
        Batches(task),
        task.loss,
        validate=task.validate,
        clip=task.clip,
    )
    result = autolr.search(learner, task.steps, strategy=strategy, schedule=schedule)
    final = task.validate(task.model)
    ratio = _LOST if is_lost(final, initial) else final / oracle_of(workload, _THREE).loss
    return ratio, result.price, len(result.rollbacks)


def _row(policy: str, ratios: dict[tuple[str, int], float], price: float, rollbacks: int) -> str:
    values = np.array(list(ratios.values()))
    worst = max(ratios, key=ratios.__getitem__)
    by_task = {
        name: np.exp(np.mean([np.log(r) for (w, _), r in ratios.items() if w == name]))
        for name in dict.fromkeys(w for w, _ in ratios)
    }
    cells = [
        policy,
        f"{np.exp(np.log(values).mean()):.3f}",
        *(f"{value:.2f}" for value in by_task.values()),
        f"{ratios[worst]:.2f} {worst[0]}, seed {worst[1]}",
        f"{price:.3f}",
        str(rollbacks),
    ]
    return f"| {' | '.join(cells)} |"


def table(
    policies: Sequence[str], workloads: Sequence[str], seeds: Sequence[int], jobs: int
) -> str:
    """Run all and return a table in Markdown."""
    units = [(policy, w, seed) for policy in policies for w in workloads for seed in seeds]
    with get_context("spawn").Pool(jobs) as pool:
        ends = dict(zip(units, pool.starmap(run, units, chunksize=1), strict=True))
    header = ["policy", "final / oracle", *workloads, "worst run", "steps / T", "rollbacks"]
    rows = [f"| {' | '.join(header)} |", f"|{' --- |' * len(header)}"]
    for policy in policies:
        own = {(w, seed): end for (p, w, seed), end in ends.items() if p == policy}
        ratios = {key: ratio for key, (ratio, _, _) in own.items()}
        price = float(np.mean([price for _, price, _ in own.values()]))
        rows.append(_row(policy, ratios, price, sum(times for _, _, times in own.values())))
    return "\n".join(rows)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    names = list(POLICIES)
    parser.add_argument("--policies", nargs="+", choices=names, default=names, metavar="NAME")
    tasks = list(WORKLOADS)
    parser.add_argument("--workloads", nargs="+", choices=tasks, default=tasks, metavar="NAME")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()
    print(table(args.policies, args.workloads, args.seeds, args.jobs))


if __name__ == "__main__":
    main()

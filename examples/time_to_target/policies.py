"""Policies of the online search against each other, in plain PyTorch.

On the seven workloads, and on those hard starts that a plain loop can train: without a scheduler of
their own or a loss that depends on the step.

python -m examples.time_to_target.policies --seeds 0 1 --jobs 2
"""

import argparse
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from multiprocessing import get_context
from typing import Any

import numpy as np
import torch

import autolr
from autolr import schedules
from autolr.online import Annealed, Check, Thresholds
from autolr.schedules import Schedule
from examples.time_to_target import hard_oracle
from examples.time_to_target.loop import is_lost
from examples.time_to_target.oracle import Oracle, oracle_of
from examples.time_to_target.tasks_base import Batches, Task
from examples.time_to_target.workloads import HARD_STARTS, WORKLOADS, make

TASKS = (
    *WORKLOADS,
    *("parity", "vit_digits", "bert", "byol_digits", "lora_digits", "constant_part", "deep_relu"),
)
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
    "ties by the score alone": (_with_thresholds(share=math.inf), None),
    "best of the race, no tie": (_with_thresholds(tie=0.0), None),
    "a race never continues": (_with_thresholds(longer=1), None),
    "no second look": (_with_thresholds(looks=1), None),
    "stall of 0.15": (_with_thresholds(stall=0.15), None),
    "rivals need no share of the progress": (_with_thresholds(stall=0.0), None),
    "band of 2 %": (_with_thresholds(band=0.02), None),
    "band of 4 % for all": (_with_thresholds(least=0.04), None),
    "copies at the run's own rate": (_with_thresholds(cut=1.0), None),
    "no rollback": (_with_thresholds(rollbacks=0), None),
    "race only": (_checks(watched=False), None),
    "race, refined": (_checks(_REFINE, watched=False), None),
    "without the last check": (_checks(_REFINE, _LATER[0]), None),
    "both sides at every check": (_with_thresholds(settled=1e9), None),
    "race of 4 %": (replace(_DEFAULT, race=0.04), None),
    "linear end of 20 %": (_DEFAULT, _ending(0.2)),
    "linear end of 60 %": (_DEFAULT, _ending(0.6)),
    "linear from the start": (_DEFAULT, schedules.warmup(0.01) | schedules.linear()),
}


@dataclass(frozen=True)
class End:
    """How a run ended.

    Attributes:
        ratio: Final / oracle, softened for the hard starts.
        price: All steps, in those of one run.
        rollbacks: How many there were.
    """

    ratio: float
    price: float
    rollbacks: int


def run(policy: str, workload: str, seed: int) -> End:
    """Train a task under a policy, at the rate of its user, whose noise is known by batch."""
    torch.set_num_threads(1)
    strategy, schedule = POLICIES[policy]
    task = make(workload, seed)
    initial = task.validate(task.model)
    torch.manual_seed(seed)
    learner = autolr.TorchLearner(
        task.model,
        task.make_optimizer(task.default.rate),
        Batches(task),
        task.loss,
        validate=lambda _: _monitored(task),
        clip=task.clip,
    )
    result = autolr.search(learner, task.steps, strategy=strategy, schedule=schedule)
    final = task.validate(task.model)
    ratio = _LOST if is_lost(final, initial) else _oracle(workload).ratio(final)
    return End(ratio, result.price, len(result.rollbacks))


def _monitored(task: Task) -> list[float]:
    return [float(task.monitored(batch, 0)) for batch in task.validation]


def _oracle(workload: str) -> Oracle:
    hard = workload in HARD_STARTS
    return hard_oracle.oracle_of(workload) if hard else oracle_of(workload, _THREE)


def _mean(ratios: Sequence[float]) -> str:
    return f"{np.exp(np.log(ratios).mean()):.3f}" if ratios else ""


def _row(policy: str, ends: Mapping[tuple[str, int], End]) -> str:
    worst = max(ends, key=lambda key: ends[key].ratio)
    tasks = dict.fromkeys(task for task, _ in ends)
    by_task = {name: [e.ratio for (w, _), e in ends.items() if w == name] for name in tasks}
    groups = [
        [ratio for name in tasks if (name in HARD_STARTS) == hard for ratio in by_task[name]]
        for hard in (False, True)
    ]
    cells = [
        policy,
        *map(_mean, groups),
        *(_mean(ratios)[:-1] for ratios in by_task.values()),
        f"{ends[worst].ratio:.2f} {worst[0]}, seed {worst[1]}",
        f"{np.mean([end.price for end in ends.values()]):.3f}",
        str(sum(end.rollbacks for end in ends.values())),
    ]
    return f"| {' | '.join(cells)} |"


def rows(
    policies: Sequence[str], workloads: Sequence[str], seeds: Sequence[int], jobs: int
) -> Iterator[str]:
    """Run all and yield the lines of a table in Markdown, each as soon as it is known."""
    header = ["policy", "workloads", "hard starts", *workloads, "worst run", "steps / T"]
    yield f"| {' | '.join([*header, 'rollbacks'])} |"
    yield f"|{' --- |' * (len(header) + 1)}"
    keys = [(workload, seed) for workload in workloads for seed in seeds]
    units = [(policy, *key) for policy in policies for key in keys]
    with get_context("spawn").Pool(jobs) as pool:
        ends = pool.imap(_run, units)
        for policy in policies:
            yield _row(policy, {key: next(ends) for key in keys})


def _run(unit: tuple[str, str, int]) -> End:
    return run(*unit)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    names = list(POLICIES)
    parser.add_argument("--policies", nargs="+", choices=names, default=names, metavar="NAME")
    tasks = list(TASKS)
    parser.add_argument("--workloads", nargs="+", choices=tasks, default=tasks, metavar="NAME")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()
    for row in rows(args.policies, args.workloads, args.seeds, args.jobs):
        print(row, flush=True)


if __name__ == "__main__":
    main()

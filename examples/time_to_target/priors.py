"""Runs with the peak of an earlier search, against runs without one.

The earlier search is that of a run of a quarter of the steps. Its peak is given as it is, and 30
times too high and too low. Where it is refused, as the earlier search could not tell peaks apart,
the run is that without.

python -m examples.time_to_target.priors --workloads logreg_digits --seeds 0 1
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from multiprocessing import get_context

import numpy as np
import torch

import autolr
from autolr.errors import ConfigError, DivergedError
from autolr.result import Result
from examples.time_to_target.loop import is_lost
from examples.time_to_target.tasks_base import Batches
from examples.time_to_target.workloads import WORKLOADS, make

EARLIER = 0.25  # of the steps
OFF = 30.0  # a factor
_LOST = 100.0  # what a run that diverged counts as
KINDS = {"prior": 1.0, f"{OFF:.0f} x too high": OFF, f"{OFF:.0f} x too low": 1 / OFF}


@dataclass(frozen=True)
class End:
    """How a run with a prior ended.

    Attributes:
        ratio: Its final loss over that of the run without.
        price: All steps, in those of one run.
    """

    ratio: float
    price: float


def run(workload: str, seed: int) -> dict[str, End]:
    """Return how the runs of a task ended, by kind; first the one without a prior."""
    torch.set_num_threads(1)
    earlier, _ = _train(workload, seed, EARLIER)
    alone, final = _train(workload, seed)
    ends = {"without": End(1.0, alone.price)}
    for kind, factor in KINDS.items():
        prior = replace(earlier, peak=earlier.run_peak * factor)
        try:
            result, loss = _train(workload, seed, prior=prior)
            ends[kind] = End(min(loss / final, _LOST), result.price)
        except ConfigError:  # refused, so that the user leaves it out
            ends[kind] = ends["without"]
        except DivergedError:
            ends[kind] = End(_LOST, 1.0)
    return ends


def _train(
    workload: str, seed: int, scale: float = 1.0, prior: Result | None = None
) -> tuple[Result, float]:
    """Return the result of a search at the rate of the task's user, and the final loss."""
    task = make(workload, seed, scale)
    initial = task.validate(task.model)
    torch.manual_seed(seed)
    learner = autolr.TorchLearner(
        task.model,
        task.make_optimizer(task.default.rate),
        Batches(task),
        task.loss,
        validate=lambda _: [float(task.monitored(batch, 0)) for batch in task.validation],
        clip=task.clip,
    )
    result = autolr.search(learner, task.steps, prior=prior)
    final = task.validate(task.model)
    return result, _LOST * initial if is_lost(final, initial) else final


def rows(workloads: Sequence[str], seeds: Sequence[int], jobs: int) -> Iterator[str]:
    """Run all and yield the lines of a table in Markdown, each as soon as it is known."""
    header = ["task", "seed", "steps / T without", *(f"{kind}: ratio, steps / T" for kind in KINDS)]
    yield f"| {' | '.join(header)} |"
    yield f"|{' --- |' * len(header)}"
    units = [(workload, seed) for workload in workloads for seed in seeds]
    ends = []
    with get_context("spawn").Pool(jobs) as pool:
        for (workload, seed), made in zip(units, pool.imap(_run, units), strict=True):
            ends.append(made)
            yield _row(workload, str(seed), made)
    kinds = ("without", *KINDS)
    yield _row("all", "", {kind: _mean([made[kind] for made in ends]) for kind in kinds})


def _run(unit: tuple[str, int]) -> dict[str, End]:
    return run(*unit)


def _mean(ends: Sequence[End]) -> End:
    ratio = float(np.exp(np.mean([np.log(end.ratio) for end in ends])))
    return End(ratio, float(np.mean([end.price for end in ends])))


def _row(workload: str, seed: str, ends: dict[str, End]) -> str:
    cells = [f"{ends[kind].ratio:.3f}, {ends[kind].price:.2f}" for kind in KINDS]
    without = f"{ends['without'].price:.2f}"
    return f"| {' | '.join([workload, seed, without, *cells])} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    tasks = list(WORKLOADS)
    parser.add_argument("--workloads", nargs="+", choices=tasks, default=tasks, metavar="NAME")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--jobs", type=int, default=1)
    args = parser.parse_args()
    for row in rows(args.workloads, args.seeds, args.jobs):
        print(row, flush=True)


if __name__ == "__main__":
    main()

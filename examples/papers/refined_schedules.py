"""Schedules refined from gradient norms, against tuned linear and cosine decays.

Defazio et al. 2023, "When, Why and How Much?", arXiv:2310.07831: the schedule that gradient norms
ask for is made once from a finished run, and then trained with. The claim: linear decay is as good
as any common schedule or better, cosine among them, and refinement improves on it. Here a run with
a linear decay at its best peak gives the norms of each task and seed; the refined schedule has the
best of three peaks. Linear and cosine have the best of the nine peaks of the oracle's grid, of the
same seeds.

python -m examples.papers.refined_schedules --workloads logreg_digits --seeds 0 1 2
"""

import argparse
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from autolr import schedules
from autolr.runtime.gradient_norms import GradientNorms
from autolr.schedules import Schedule
from examples.time_to_target.loop import PROFILES, train
from examples.time_to_target.oracle import load_oracle
from examples.time_to_target.workloads import WORKLOADS, make

TASKS = tuple(name for name in WORKLOADS if name != "gpt_pysrc")  # it clips its gradients


@dataclass(frozen=True)
class Tuned:
    """A schedule at its best peak.

    Attributes:
        loss: The final loss, mean over seeds.
        peak: The peak.
        sd: The standard deviation of the final losses over seeds.
    """

    loss: float
    peak: float
    sd: float


def tuned(workload: str, profile: str, seeds: Sequence[int]) -> Tuned:
    """Return a profile of the oracle's grid at its best peak.

    Args:
        workload: The task.
        profile: "linear" or "cosine".
        seeds: Those of the mean.
    """
    grid = load_oracle(1.0)
    kept = (grid.workload == workload) & (grid.profile == profile) & grid.seed.isin(list(seeds))
    ends = grid[kept].groupby("peak").final.agg(["mean", "std"])
    means, sds = ends["mean"].to_numpy(), ends["std"].to_numpy()
    at = int(np.argmin(means))
    return Tuned(float(means[at]), float(ends.index.to_numpy()[at]), float(sds[at]))


def peaks_around(workload: str, peak: float) -> tuple[float, ...]:
    """Return a peak of the oracle's grid and its neighbours."""
    peaks = make(workload).peaks
    at = int(np.argmin([abs(math.log(each / peak)) for each in peaks]))
    return peaks[max(0, at - 1) : at + 2]


def norms_of(workload: str, seed: int, peak: float) -> tuple[list[float], str]:
    """Return the gradient norms of a run with a linear decay, and which norm it is."""
    task = make(workload, seed)
    kind = "l2" if task.optimizer == "sgd" else "l1"
    norms = GradientNorms(int(kind[1]))

    def note() -> None:
        norms.add(task.model.parameters())
        norms.end_step()

    train(task, task.make_optimizer(lr=peak), PROFILES["linear"], after_step=note)
    return list(norms.values()), kind


def refined(workload: str, seeds: Sequence[int], linear: Tuned) -> Tuned:
    """Return the refined schedules of the seeds, at their best common peak."""
    made: list[Schedule] = []
    for seed in seeds:
        values, kind = norms_of(workload, seed, linear.peak)
        made.append(schedules.refine(values, norm="l1" if kind == "l1" else "l2"))
    tried = []
    for peak in peaks_around(workload, linear.peak):
        ends = [_final(workload, *each, peak) for each in zip(seeds, made, strict=True)]
        tried.append(Tuned(float(np.mean(ends)), peak, float(np.std(ends, ddof=1))))
    return min(tried, key=lambda each: each.loss)


def _final(workload: str, seed: int, schedule: Schedule, peak: float) -> float:
    task = make(workload, seed)
    return train(task, task.make_optimizer(lr=peak), schedule).final


def rows(workloads: Sequence[str], seeds: Sequence[int]) -> Iterator[str]:
    """Run all and yield the lines of a table in Markdown, each as soon as it is known."""
    header = ("task", "linear", "cosine", "refined", "refined / linear", "refined / cosine")
    yield f"| {' | '.join(header)} |"
    yield f"|{' --- |' * len(header)}"
    ratios = []
    for workload in workloads:
        linear, cosine = (tuned(workload, profile, seeds) for profile in ("linear", "cosine"))
        own = refined(workload, seeds, linear)
        ratios.append((own.loss / linear.loss, own.loss / cosine.loss))
        cells = [f"{x.loss:.4f} ± {x.sd:.4f} at {x.peak:.3g}" for x in (linear, cosine, own)]
        yield f"| {' | '.join([workload, *cells, *(f'{ratio:.3f}' for ratio in ratios[-1])])} |"
    means = np.exp(np.log(ratios).mean(axis=0))
    yield f"| geometric mean |  |  |  | {means[0]:.3f} | {means[1]:.3f} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    tasks = list(TASKS)
    parser.add_argument("--workloads", nargs="+", choices=tasks, default=tasks, metavar="NAME")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    args = parser.parse_args()
    torch.set_num_threads(1)
    for row in rows(args.workloads, args.seeds):
        print(row, flush=True)


if __name__ == "__main__":
    main()

"""How much a suggested peak depends on the seed: a digits network, SGD, batches of 8.

python -m examples.time_to_target.repeatability --seeds 20
"""

import argparse
from collections.abc import Sequence
from multiprocessing import get_context

import numpy as np
import torch
from torch import nn

import autolr
from examples.time_to_target.loop import PROFILES, train
from examples.time_to_target.tasks_base import (
    Batch,
    Batches,
    Parts,
    Task,
    cross_entropy,
    evaluator,
    grid,
    sampler,
    seeded,
    split,
)
from examples.time_to_target.tasks_digits import digits

_ORACLE_SEEDS = (0, 1, 2)


def small_batches(seed: int) -> Task:
    """A small convolutional network with batch norm on scikit-learn's digits; 2,000 steps."""
    x, y = digits()
    train_on, validate_on = split(len(x), 500)
    images = x.view(-1, 1, 8, 8)
    held = images[validate_on], y[validate_on]
    indices = sampler(len(train_on), 8, seed)

    def batch(i: int) -> Batch:
        chosen = train_on[indices(i)]
        return images[chosen], y[chosen]

    return Task(
        name="digits_batch_8",
        seed=seed,
        steps=2_000,
        model=seeded(seed, _network),
        optimizer="sgd",
        settings={"momentum": 0.9},
        batch=batch,
        loss=cross_entropy,
        validate=evaluator(cross_entropy, held),
        validation=Parts(held, 10),
        peaks=grid(1e-3, 1.0),
    )


def _network() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 16, 3, padding=1, stride=2),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(256, 10),
    )


def suggested(seed: int) -> tuple[float, float]:
    """Return the peak that `autolr.search` finds with its defaults, and its final loss."""
    torch.set_num_threads(1)
    task = small_batches(seed)
    torch.manual_seed(seed)
    learner = autolr.TorchLearner(
        task.model, task.make_optimizer(0.1), Batches(task), task.loss, validate=task.validate
    )
    return autolr.search(learner, task.steps).run_peak, task.validate(task.model)


def whole_run(peak: float, seed: int) -> float:
    """Return the final loss of a whole run at a peak, with the profile wsd."""
    torch.set_num_threads(1)
    task = small_batches(seed)
    return train(task, task.make_optimizer(peak), PROFILES["wsd"]).final


def table(peaks: Sequence[float], finals: Sequence[float], losses: dict[float, float]) -> str:
    """Return the suggestions as a table, with a summary below."""
    best = min(losses, key=losses.__getitem__)
    factors = np.array(peaks) / best
    within = float(np.mean((factors <= 3) & (factors >= 1 / 3)))
    lines = [
        "| peak | final loss of whole runs, mean of 3 seeds | suggested by |",
        "| --- | --- | --- |",
        *(f"| {peak:.3g} | {loss:.4f} | |" for peak, loss in losses.items()),
        *(f"| {peak:.3g} | | {list(peaks).count(peak)} seeds |" for peak in sorted(set(peaks))),
    ]
    summary = (
        f"best whole run: {best:.3g}; within a factor of 3 of it: {within:.0%} of {len(peaks)} "
        f"seeds; highest over lowest suggestion: {max(peaks) / min(peaks):.1f}; mean final loss "
        f"{np.mean(finals):.4f}, whole runs at the best peak {losses[best]:.4f}"
    )
    return "\n".join([*lines, "", summary])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()
    peaks = small_batches(0).peaks
    runs = [(peak, seed) for peak in peaks for seed in _ORACLE_SEEDS]
    with get_context("spawn").Pool(args.jobs) as pool:
        suggestions = pool.map(suggested, range(args.seeds), chunksize=1)
        finals = np.array(pool.starmap(whole_run, runs, chunksize=1)).reshape(len(peaks), -1)
    losses = dict(zip(peaks, finals.mean(1).tolist(), strict=True))
    print(table([peak for peak, _ in suggestions], [loss for _, loss in suggestions], losses))


if __name__ == "__main__":
    main()

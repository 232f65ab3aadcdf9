"""Runs at a constant rate: their merged checkpoints, and the cooldowns that these stand for.

A run of T steps warms up over 5 % and stays at the best peak of wsd. Its checkpoints of the last
40 %, a hundredth of the run apart, are merged; and from the same checkpoints the run is cooled down
for real, on the same batches, to the same T steps. merged_checkpoints.csv keeps the scores.
"""

import copy
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import nn

from autolr import schedules, score_cooldowns
from autolr.result.cooldowns import CooldownScores
from autolr.runtime.batch_norm import batch_norms
from examples.time_to_target.oracle import oracle_of
from examples.time_to_target.tasks_base import Task
from examples.time_to_target.workloads import make

SHAPES = ("linear", "1-sqrt", "1-square")
SHARES = (5, 10, 20, 40)
"""Lengths of cooldowns in hundredths of the run."""

SPACINGS = (1, 5)
"""Distances of the merged checkpoints, likewise."""

KEY = ["task", "seed", "kind", "shape", "share"]
_RECENT = 32  # batches that renew the statistics of batch norm
_FILE = Path(__file__).with_name("merged_checkpoints.csv")


@dataclass(frozen=True)
class Kept:
    """The state of a run at a checkpoint."""

    model: dict[str, Any]
    optimizer: dict[str, Any]
    rng: torch.Tensor


def stored() -> pd.DataFrame:
    """Return the scores so far, a row each."""
    if not _FILE.exists():
        return pd.DataFrame(columns=[*KEY, "score"])
    return pd.read_csv(_FILE).drop_duplicates(KEY, keep="last")


def compute(names: Iterable[str], seeds: Iterable[int]) -> None:
    """Make the runs that are not stored, one after the other."""
    torch.set_num_threads(1)
    known = set(stored()[["task", "seed"]].itertuples(index=False, name=None))
    for key in product(names, seeds):
        if key not in known:
            frame = pd.DataFrame([[*key, *row] for row in _rows(*key)], columns=[*KEY, "score"])
            frame.to_csv(_FILE, mode="a", header=not _FILE.exists(), index=False)


def _rows(name: str, seed: int) -> Iterator[tuple[str, str, int, float]]:
    """Yield kind, shape, share and score."""
    task = make(name, seed)
    rate = oracle_of(name, ["wsd"]).peak
    optimizer = task.make_optimizer(rate)
    kept = _constant_run(task, optimizer, rate)
    yield "constant", "none", 0, task.validate(task.model)
    for spacing in SPACINGS:
        scores = _merged(task, {step: each.model for step, each in kept.items()}, spacing)
        for row in scores.rows:
            share = round(row.steps / _hundredth(task))
            yield f"merged every {spacing} %", row.shape, share, row.score
    for shape, share in product(SHAPES, SHARES):
        begin = task.steps - share * _hundredth(task)
        yield "cooled", shape, share, _cooled(task, optimizer, rate, kept[begin], begin, shape)


def _hundredth(task: Task) -> int:
    return task.steps // 100


def _constant_run(task: Task, optimizer: torch.optim.Optimizer, rate: float) -> dict[int, Kept]:
    """Train a task to its end; return its checkpoints of the last 40 % by their steps."""
    torch.manual_seed(task.seed)
    schedule = schedules.warmup(0.05) | schedules.constant()
    due = {task.steps - share * _hundredth(task) for share in range(max(SHARES) + 1)}
    kept = {}
    for step, multiplier in enumerate(schedule.values(task.steps)):
        _step(task, optimizer, step, rate * float(multiplier))
        if step + 1 in due:
            states = task.model.state_dict(), optimizer.state_dict()
            kept[step + 1] = Kept(*copy.deepcopy(states), torch.get_rng_state())
    return kept


def _step(task: Task, optimizer: torch.optim.Optimizer, step: int, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.zero_grad(set_to_none=True)
    torch.autograd.backward(task.training_loss(task.batch(step), step))
    if task.clip is not None:
        nn.utils.clip_grad_norm_(task.model.parameters(), task.clip)
    optimizer.step()


def _merged(task: Task, states: dict[int, dict[str, Any]], spacing: int) -> CooldownScores:
    """Return the scores of merges of checkpoints that are so many hundredths apart."""
    hundredth, end = _hundredth(task), task.steps
    steps = [step for step in states if (end - step) % (spacing * hundredth) == 0]

    def forward(model: nn.Module) -> None:
        for step in range(end - _RECENT, end):
            task.loss(model, task.batch(step))

    return score_cooldowns(
        task.model,
        {step: states[step] for step in steps},
        task.validate,
        shapes=SHAPES,
        lengths=[share * hundredth for share in SHARES],
        forward=forward if batch_norms(task.model) else None,
    )


def _cooled(
    task: Task,
    optimizer: torch.optim.Optimizer,
    rate: float,
    kept: Kept,
    begin: int,
    shape: Any,
) -> float:
    """Return the score of a run that is cooled down from a checkpoint on."""
    at = copy.deepcopy(kept)
    task.model.load_state_dict(at.model)
    optimizer.load_state_dict(at.optimizer)
    torch.set_rng_state(at.rng)
    for step, multiplier in enumerate(
        schedules.cooldown(None, shape).values(task.steps - begin), start=begin
    ):
        _step(task, optimizer, step, rate * float(multiplier))
    return task.validate(task.model)

"""Scores of cooldowns from the checkpoints of a run at a constant rate."""

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import product
from typing import Any

import torch
from torch import nn

from autolr.direction import check_mode
from autolr.errors import ConfigError
from autolr.online.monitor import Monitor
from autolr.result.cooldowns import CooldownScore, CooldownScores
from autolr.rng import isolated_rng
from autolr.runtime.batch_norm import batch_norms, estimate_statistics
from autolr.runtime.evaluation import evaluating
from autolr.runtime.merging import Checkpoints, CheckpointSeries
from autolr.runtime.returned_values import score_of
from autolr.runtime.untouched import untouched
from autolr.runtime.user_functions import check_call, first_call
from autolr.schedules import Schedule, cooldown, merge_weights
from autolr.settings import Positive, Several, check_of, read_setting

_SHAPES = ("linear", "1-sqrt", "cosine", "1-square")
_LENGTHS = (0.05, 0.1, 0.2, 0.3, 0.4)


def score_cooldowns(
    model: nn.Module,
    checkpoints: Checkpoints,
    validate: Callable[[nn.Module], Any],
    *,
    shapes: Sequence[str | Schedule] = _SHAPES,
    lengths: Sequence[float] | None = None,
    mode: str = "min",
    forward: Callable[[nn.Module], object] | None = None,
) -> CooldownScores:
    """Score cooldowns of a run at a constant rate, without training them.

    The merge of the last checkpoints with the weights of `autolr.schedules.merge_weights` stands
    for a run that was cooled down over the steps between them. The model is left as it was.

    Args:
        model: Of the architecture of the checkpoints; its weights do not matter.
        checkpoints: Of one run, at equal distances: ``{step: state dict or path}``, or paths of
            Lightning's checkpoints, which tell their steps. The last one is the end of the run.
        validate: ``validate(model)`` returns the score of a model, or its scores by validation
            batch. Called in evaluation mode, without gradients.
        shapes: Those of `autolr.schedules.cooldown`, or schedules that never rise.
        lengths: Up to 1 as a share of the run, above 1 in steps. A cooldown begins at the nearest
            checkpoint. None: those of 5, 10, 20, 30 and 40 % that the checkpoints allow.
        mode: Whether a lower ("min") or a higher ("max") score is better.
        forward: ``forward(model)`` runs the model on training batches, a few dozen; called in
            training mode, without gradients, to renew the statistics of batch norm. Needed where
            there are batch norms.

    Raises:
        ConfigError: If a setting cannot work, checkpoints are too few, unevenly spaced or of
            different weights, or do not reach back to where a cooldown begins.

    Source: Tian et al. 2025 (WSM), arXiv:2507.17634, for the weights.
    """
    check_mode(mode)
    check_call("validate", validate, "validate(model)", 1)
    _check_norms(model, forward)
    series = CheckpointSeries.of(checkpoints)
    named = _named(shapes)
    counts = _counts(series, lengths)
    monitor = Monitor(mode=mode)

    def scored(weights: Sequence[float]) -> float:
        return _score(model, series.merged(weights), validate, forward, monitor)

    rows = []
    with untouched(model), _own_state(model):
        last = scored([1.0])
        for count, (name, schedule) in product(counts, named):
            weights = tuple(merge_weights(schedule, count).tolist())
            steps = (count - 1) * _spacing(series)
            rows.append(CooldownScore(name, schedule, steps, weights, scored(weights)))
    rows.sort(key=lambda row: _order(monitor.score(row.score)))
    return CooldownScores(tuple(rows), last, series.steps[-1], monitor)


@contextmanager
def _own_state(model: nn.Module) -> Iterator[None]:
    """Have the model's weights back after the block, the frozen ones too."""
    kept = copy.deepcopy(model.state_dict())
    try:
        yield
    finally:
        model.load_state_dict(kept)


def _score(
    model: nn.Module,
    state: dict[str, Any],
    validate: Callable[[nn.Module], Any],
    forward: Callable[[nn.Module], object] | None,
    monitor: Monitor,
) -> float:
    """Return the score of a state, which is left in the model."""
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"checkpoints do not fit the model: {reason}") from error
    with evaluating(model), isolated_rng(), torch.no_grad():
        if forward is not None and (norms := batch_norms(model)):
            model.train()
            estimate_statistics(norms, lambda: forward(model))
            model.eval()
        with first_call("validate", "validate(model)"):
            measured = validate(model)
        return monitor.value(score_of(measured, monitor).value)


def _named(shapes: object) -> list[tuple[str, Schedule]]:
    if not isinstance(shapes, list | tuple) or not shapes:
        expected = "a list of at least one shape, such as 'linear', or schedule"
        raise ConfigError.of("shapes", shapes, expected)
    return [(str(shape), _schedule(shape)) for shape in shapes]


def _schedule(shape: str | Schedule) -> Schedule:
    return shape if isinstance(shape, Schedule) else cooldown(None, shape)  # type: ignore[arg-type]


def _counts(series: CheckpointSeries, lengths: Sequence[float] | None) -> list[int]:
    """Return how many checkpoints are merged for each length."""
    spacing, total = _spacing(series), series.steps[-1]
    if lengths is None:
        near = [round(length * total / spacing) + 1 for length in _LENGTHS]
        usable = [count for count in near if 2 <= count <= len(series.steps)]
        return list(dict.fromkeys(usable)) or [2]
    read_setting("lengths", Several((check_of(Positive),)), lengths)
    counts = []
    for length in lengths:
        steps = length * total if length <= 1 else length
        count = round(steps / spacing) + 1
        if not 2 <= count <= len(series.steps):
            back = f"reach back {total - series.steps[0]} and are {spacing} apart"
            raise ConfigError(f"lengths: {length:g} is {steps:g} steps, and checkpoints {back}")
        counts.append(count)
    return list(dict.fromkeys(counts))


def _spacing(series: CheckpointSeries) -> int:
    """Return the steps between two checkpoints."""
    gaps = [b - a for a, b in zip(series.steps, series.steps[1:], strict=False)]
    for place, gap in enumerate(gaps):
        if gap != gaps[0]:
            steps = ", ".join(str(step) for step in series.steps[place - 1 : place + 2])
            raise ConfigError(f"checkpoints must be at equal distances, got steps {steps}")
    return gaps[0]


def _check_norms(model: nn.Module, forward: Callable[[nn.Module], object] | None) -> None:
    if forward is not None:
        check_call("forward", forward, "forward(model)", 1)
    elif batch_norms(model):
        raise ConfigError(
            "forward must be given for a model with batch norms: forward(model) runs it on "
            "training batches, as statistics of merged weights are those of no checkpoint"
        )


def _order(score: float) -> float:
    return math.inf if math.isnan(score) else score

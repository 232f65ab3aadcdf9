"""Scores of cooldowns that were not trained."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import copy

import pytest
import torch
from torch import nn

import autolr
from autolr import schedules
from autolr.errors import ConfigError

TARGET = 3.0


def weight(model):
    return float(model.weight.detach())


def squared(model):
    return (weight(model) - TARGET) ** 2


def linear(value=0.0):
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, value)
    return model


def states(values, apart=10):
    return {(i + 1) * apart: {"weight": torch.tensor([[float(v)]])} for i, v in enumerate(values)}


def test_each_score_is_that_of_the_merge() -> None:
    values = [0, 1, 5, 2, 4, 3, 3, 8, 1, 6]
    scores = autolr.score_cooldowns(
        linear(), states(values), weight, shapes=["linear", schedules.cosine()], lengths=[0.2, 40]
    )
    assert len(scores.rows) == 4
    for row in scores.rows:
        expected = schedules.merge_weights(row.schedule, len(row.weights))
        assert row.weights == tuple(expected)
        merged = sum(w * v for w, v in zip(row.weights, values[-len(row.weights) :], strict=True))
        assert row.score == pytest.approx(merged, rel=1e-6)
    assert {row.steps: len(row.weights) for row in scores.rows} == {20: 3, 40: 5}
    assert [row.score for row in scores.rows] == sorted(row.score for row in scores.rows)
    assert scores.last == 6


def test_where_gradients_do_not_depend_on_the_weights_the_merge_is_the_cooled_run() -> None:
    updates = torch.randn(120, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    run = (-updates).cumsum(0)  # at a constant rate
    kept = {step: {"weight": run[step - 1].reshape(1, 1)} for step in range(20, 121, 10)}
    scores = autolr.score_cooldowns(linear().double(), kept, weight, lengths=[0.25, 0.5])
    for row in scores.rows:
        schedule = schedules.constant() | row.schedule.over(row.steps + 10).every(10)
        cooled = -(updates * torch.from_numpy(schedule.values(120))).sum()
        assert row.score == pytest.approx(float(cooled), rel=1e-12)


def test_the_best_is_the_highest_where_that_is_better() -> None:
    given = states([1, 2, 3, 4, 5])
    for mode, best in (("min", min), ("max", max)):
        scores = autolr.score_cooldowns(linear(), given, weight, mode=mode)
        assert scores.best.score == best(row.score for row in scores.rows)


def test_the_model_is_left_as_it_was() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Dropout())
    model[0].bias.requires_grad_(False)
    model[1].eval()
    before, kept = copy.deepcopy(model.state_dict()), model.state_dict().copy()
    given = {
        i: {k: v + i if v.is_floating_point() else v for k, v in before.items()} for i in (1, 2, 3)
    }
    draws = torch.get_rng_state()
    autolr.score_cooldowns(
        model,
        given,
        lambda m: float(m(torch.ones(3, 2)).mean()),
        forward=lambda m: m(torch.rand(3, 2)),
    )
    assert all(map(torch.equal, model.state_dict().values(), before.values()))
    assert all(
        new.data_ptr() == old.data_ptr()
        for new, old in zip(model.state_dict().values(), kept.values(), strict=True)
    )
    assert [m.training for m in model.modules()] == [True, True, False, True]
    assert torch.equal(torch.get_rng_state(), draws)


def test_statistics_of_batch_norm_are_those_of_the_merged_weights() -> None:
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(()))
            self.norm = nn.BatchNorm1d(1, affine=False)

        def forward(self, x):
            return self.norm(self.scale * x)

    model, seen = Scaled(), []
    batch = torch.tensor([[1.0], [3.0]])
    given = {i: {**model.state_dict(), "scale": torch.tensor(float(i))} for i in (2, 4)}

    def validate(scored):
        seen.append((float(scored.scale), float(scored.norm.running_mean)))
        return 0.0

    autolr.score_cooldowns(model, given, validate, shapes=["linear"], forward=lambda m: m(batch))
    assert seen == [(4.0, 8.0), (3.0, 6.0)]  # the mean of the batch is 2


def test_a_table_of_80_columns_is_printed_best_first() -> None:
    shapes: list[str | schedules.Schedule] = [
        "linear",
        schedules.constant().over(0.25) | schedules.cooldown(None, "mirror-cosine"),
    ]
    scores = autolr.score_cooldowns(linear(), states(range(1, 11), 1000), squared, shapes=shapes)
    lines = str(scores).splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].split() == ["cooldown", "steps", "share", "merged", "score"]
    assert lines[-1].split() == ["none", "0", "0%", "1", "49"]
    assert lines[1].split()[-4:] == ["4,000", "40%", "5", f"{scores.best.score:.4g}"]


BATCH_NORM = nn.BatchNorm1d(1)
ERRORS = {
    "uneven": (
        {"checkpoints": {10: {}, 20: {}, 35: {}}},
        "checkpoints must be at equal distances, got steps 10, 20, 35",
    ),
    "too far": (
        {"lengths": [50]},
        "lengths: 50 is 50 steps, and checkpoints reach back 40 and are 10",
    ),
    "too short": ({"lengths": [2]}, "lengths: 2 is 2 steps, and checkpoints"),
    "no length": ({"lengths": [0]}, "lengths must be at least 1 numbers, each a number above 0"),
    "shape": ({"shapes": ["lin"]}, "shape of cooldown must be one of"),
    "no shape": ({"shapes": []}, "shapes must be a list of at least one shape"),
    "one shape": ({"shapes": "linear"}, "shapes must be a list of .* got 'linear'"),
    "rising": ({"shapes": [schedules.warmup(0.9)]}, "never rise"),
    "mode": ({"mode": "low"}, "mode must be 'min' or 'max'"),
    "validate": ({"validate": lambda: 0}, r"validate must be a function, which is called as"),
    "score": ({"validate": lambda model: "good"}, "validate must return a number"),
    "model": ({"model": nn.Linear(2, 1)}, "checkpoints do not fit the model"),
    "norm": ({"model": BATCH_NORM}, "forward must be given for a model with batch norms"),
}


@pytest.mark.parametrize(("changed", "message"), ERRORS.values(), ids=ERRORS)
def test_what_cannot_work_is_refused_in_one_line(changed, message) -> None:
    given = {"model": linear(), "checkpoints": states(range(5)), "validate": squared, **changed}
    with pytest.raises(ConfigError, match=message) as caught:
        autolr.score_cooldowns(**given)
    assert "\n" not in str(caught.value)

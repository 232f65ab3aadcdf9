"""AdaGO: AdaGrad's step along Muon's direction."""
# mypy: allow-untyped-calls

import csv
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from autolr import rules
from autolr.errors import ConfigError

_GOLDEN = Path(__file__).parents[1] / "golden" / "golden_adago.csv"
_CASES: dict[str, dict[str, Any]] = {
    "adago lr=.1": {},
    "adago lr=.1 gamma=.5 v0=.1 floor=.3 weight_decay=.1": {
        "gamma": 0.5,
        "v0": 0.1,
        "floor": 0.3,
        "weight_decay": 0.1,
    },
}


@pytest.mark.parametrize("case", _CASES)
def test_forty_steps_are_those_of_another_implementation(case: str) -> None:
    generator = torch.Generator().manual_seed(3)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    inputs = normal(64, 8) * torch.logspace(-1, 0.5, 8, dtype=torch.float64)
    targets, weights = inputs @ normal(8, 5), nn.Parameter(normal(5, 8))
    optimizer = rules.build("adago", [weights], 0.1, **_CASES[case])
    steps = [row for row in csv.DictReader(_GOLDEN.open()) if row["rule"] == case]
    assert len(steps) == 40
    for step, row in enumerate(steps):
        rows = slice(16 * step % 64, 16 * step % 64 + 16)
        before = weights.detach().clone()
        optimizer.zero_grad()
        loss = 0.5 * (inputs[rows] @ weights.T - targets[rows]).square().mean()
        loss.backward()
        optimizer.step()
        # torch orthogonalizes in bfloat16, the reference in double precision
        assert loss.item() == pytest.approx(float(row["loss_before"]), rel=2e-3)
        moved = (weights.detach() - before).norm().item()
        assert moved == pytest.approx(float(row["moved"]), rel=0.02)


def test_each_matrix_steps_as_muon_at_a_share_of_the_rate_of_its_own() -> None:
    weights = [
        nn.Parameter(torch.eye(3)),
        nn.Parameter(torch.ones(2, 4)),
        nn.Parameter(torch.ones(3)),
    ]
    ours = rules.build("adago", weights, 0.1, gamma=2.0, v0=0.5, weight_decay=0.01)
    twins = [nn.Parameter(each.detach().clone()) for each in weights]
    muons = [
        torch.optim.Muon([twin], nesterov=False, weight_decay=0.0, adjust_lr_fn="match_rms_adamw")
        for twin in twins[:2]
    ]
    adam = torch.optim.AdamW(twins[2:], lr=0.1, weight_decay=0.01)
    squares = [0.25, 0.25]
    for step in range(6):
        for index, (own, twin) in enumerate(zip(weights, twins, strict=True)):
            own.grad = torch.full_like(own, 0.1 * (index + 1) * (step + 1))
            own.grad[0] += 0.3 * step
            twin.grad = own.grad.clone()
        for index, muon in enumerate(muons):
            grad = twins[index].grad
            assert grad is not None
            norm = min(float(grad.norm()), 2.0)
            squares[index] += norm**2
            muon.param_groups[0]["lr"] = 0.1 * norm / math.sqrt(squares[index])
            with torch.no_grad():
                twins[index].mul_(1 - 0.1 * 0.01)  # decay at the rate, whatever the share
            muon.step()
        adam.step()
        ours.step()
    for own, twin in zip(weights, twins, strict=True):
        torch.testing.assert_close(own, twin)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"gamma": 0}, "gamma must be a number above 0, got 0"),
        ({"v0": -1.0}, "v0 must be a number above 0, got -1.0"),
        ({"floor": 2}, r"floor must be a number within \[0, 1\], got 2"),
    ],
)
def test_what_cannot_work_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        rules.build("adago", [nn.Parameter(torch.eye(2))], 0.1, **settings)

"""Step sizes of other implementations, on a least-squares problem in float64."""

import csv
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import torch

from autolr import rules

_UNBOUND = 1e9  # a peak that never binds
_CASES: dict[str, tuple[str, float, dict[str, Any], float]] = {
    "sps_max c=.5 cap=1": ("sps_max", 1.0, {"c": 0.5}, 1e-9),
    "sps_smooth n=4 tau=2": ("sps_smooth", 1.0, {"tau": 2.0, "batches": 4}, 1e-9),
    "alig max_lr=None": ("alig", _UNBOUND, {"eps": 1e-6}, 1e-6),  # its norm is float32
    "alr_smag c=1 cap=.5 beta=.9": ("alr_smag", 0.5, {"c": 1.0, "beta": 0.9}, 1e-9),
    "dog": ("dog", 1.0, {"alpha": 1e-2}, 1e-9),
    "dowg": ("dowg", 1.0, {}, 1e-6),  # the reference keeps float32 state
    "armijo n=4": ("armijo", 10.0, {"epoch": 4}, 1e-9),
}


def golden() -> dict[str, list[tuple[float, float]]]:
    """Return (step size, loss before the step) by rule."""
    result = defaultdict(list)
    text = (Path(__file__).parents[1] / "golden" / "golden_rules.csv").read_text("utf-8")
    for row in csv.DictReader(text.splitlines()):
        result[row["rule"]].append((float(row["step_size"]), float(row["loss_before"])))
    return dict(result)


@pytest.mark.parametrize("case", sorted(_CASES))
def test_steps_are_those_of_the_reference(case: str) -> None:
    name, peak, settings, tolerance = _CASES[case]
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(64, 8, generator=generator, dtype=torch.float64)
    targets = inputs @ torch.randn(8, generator=generator, dtype=torch.float64)
    weights = torch.nn.Parameter(torch.zeros(8, dtype=torch.float64))
    optimizer: Any = rules.build(name, [weights], peak, **settings)
    for step, (size, loss) in enumerate(golden()[case]):
        rows = slice(16 * step % 64, 16 * step % 64 + 16)

        def closure(rows: slice = rows) -> Any:
            optimizer.zero_grad()
            result: Any = 0.5 * (inputs[rows] @ weights - targets[rows]).square().mean()
            result.backward()
            return result

        before = weights.detach().clone()
        assert optimizer.step(closure).item() == pytest.approx(loss, rel=100 * tolerance, abs=1e-12)
        direction = _direction(optimizer, weights)
        moved = torch.dot(before - weights.detach(), direction) / torch.dot(direction, direction)
        assert moved.item() == pytest.approx(size, rel=tolerance, abs=1e-12)


def _direction(optimizer: torch.optim.Optimizer, weights: torch.nn.Parameter) -> torch.Tensor:
    state = optimizer.state[weights]
    result = state.get("momentum", weights.grad)
    assert isinstance(result, torch.Tensor)
    return result

"""Ways of other implementations, on a badly scaled least-squares problem in float64."""

import csv
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import torch

from autolr import rules

_CASES: dict[str, tuple[str, float, dict[str, Any]]] = {
    "momo lr=1 beta=.9": ("momo", 1.0, {"beta": 0.9}),
    "momo lr=.05 bias_correction": ("momo", 0.05, {"bias_correction": True}),
    "momo lr=1 estimate": ("momo", 1.0, {"estimate": True}),
    "momo lr=1 estimate from -5 bias_correction": (
        "momo",
        1.0,
        {"estimate": True, "f_star": -5.0, "bias_correction": True},
    ),
    "momo_adam lr=.1": ("momo_adam", 0.1, {}),
    "momo_adam lr=1 estimate": ("momo_adam", 1.0, {"estimate": True}),
    "momsps beta=.9": ("momsps", 10.0, {"beta": 0.9}),
    "momsps beta=.5 c=.5 cap=.1": ("momsps", 0.1, {"beta": 0.5, "c": 0.5}),
    "alig beta=.9 cap=.1": ("alig", 0.1, {"beta": 0.9, "eps": 1e-6}),
    "sania_adagrad": ("sania_adagrad", 1.0, {"eps": 1e-8}),
    "sania_adam": ("sania_adam", 1.0, {"eps": 1e-8}),
}
_FLOAT32 = ("alig beta=.9 cap=.1",)  # the reference's norm is
_NOISY = ("momo lr=1 estimate", "momo_adam lr=1 estimate", "momsps beta=.5")


def golden() -> dict[str, list[tuple[float, float]]]:
    """Return (loss before the step, length of the move) by rule."""
    result = defaultdict(list)
    text = (Path(__file__).parents[1] / "golden" / "golden_rules_more.csv").read_text("utf-8")
    for row in csv.DictReader(text.splitlines()):
        result[row["rule"]].append((float(row["loss_before"]), float(row["moved"])))
    return dict(result)


def problem(case: str) -> tuple[torch.Tensor, torch.Tensor, torch.nn.Parameter]:
    """Return inputs, targets and weights at the start."""
    generator = torch.Generator().manual_seed(1)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    inputs = normal(64, 8) * torch.logspace(-1, 0.5, 8, dtype=torch.float64)
    targets = inputs @ normal(8)
    noise = normal(64)
    if case.startswith(_NOISY):
        targets = targets + noise
    return inputs, targets, torch.nn.Parameter(normal(8))


@pytest.mark.parametrize("case", sorted(_CASES))
def test_forty_steps_are_those_of_the_reference(case: str) -> None:
    name, peak, settings = _CASES[case]
    inputs, targets, weights = problem(case)
    optimizer: Any = rules.build(name, [weights], peak, **settings)
    tolerance = 1e-6 if case in _FLOAT32 else 1e-9
    steps = golden()[case]
    assert len(steps) == 40
    for step, (loss, moved) in enumerate(steps):
        rows = slice(16 * step % 64, 16 * step % 64 + 16)

        def closure(rows: slice = rows) -> Any:
            optimizer.zero_grad()
            result: Any = 0.5 * (inputs[rows] @ weights - targets[rows]).square().mean()
            result.backward()
            return result

        before = weights.detach().clone()
        assert optimizer.step(closure).item() == pytest.approx(loss, rel=tolerance)
        assert (weights.detach() - before).norm().item() == pytest.approx(moved, rel=tolerance)

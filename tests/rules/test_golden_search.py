"""The moves of other implementations, on a least-squares problem in float64.

Each row of the file was computed by the authors' own code, as its source says. The problem is
that of `golden_rules.csv`, with the weights in two tensors.
"""

import csv
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import Parameter

from autolr import rules

_TWO, _ONE = (3, 5), (8,)
_CASES: dict[str, tuple[str, float, dict[str, Any], tuple[int, ...]]] = {
    "goldstein c=0.1 n=4": ("goldstein", 10.0, {"epoch": 4}, _TWO),
    "goldstein c=0.4 n=4": ("goldstein", 10.0, {"epoch": 4, "c": 0.4}, _TWO),
    "goldstein first=0.01 n=4": ("goldstein", 10.0, {"epoch": 4, "first": 0.01}, _TWO),
    "armijo c=.5 first=8 n=4": ("armijo", 10.0, {"epoch": 4, "c": 0.5, "first": 8.0}, _TWO),
    "smb peak=1": ("smb", 1.0, {"auto": False}, _TWO),
    "smb peak=4 auto n=3": ("smb", 4.0, {"epoch": 3}, _TWO),
    "smb peak=.2 auto n=3": ("smb", 0.2, {"epoch": 3}, _TWO),
    "aegd peak=.1": ("aegd", 0.1, {}, _TWO),
    "aegd peak=3 decay=.01": ("aegd", 3.0, {"weight_decay": 0.01}, _TWO),
    "ldog alpha=.01": ("ldog", 1.0, {"alpha": 1e-2}, _TWO),
    "adgd all rows": ("adgd", 1.0, {}, _ONE),
    "hypergradient_sgd peak=0.1 beta=.1": ("hypergradient_sgd", 0.1, {"beta": 0.1}, _TWO),
    "hypergradient_sgd peak=0.8 beta=.1": ("hypergradient_sgd", 0.8, {"beta": 0.1}, _TWO),
    "hypergradient_adam peak=.1 beta=.1": (
        "hypergradient_adam",
        0.1,
        {"beta": 0.1, "eps": 1e-12},
        _ONE,
    ),
    "dog alpha=.01, average": ("dog", 1.0, {"alpha": 1e-2}, _TWO),
}


def golden() -> dict[str, list[tuple[float, float]]]:
    """Return (loss before the step, length of the move) by case."""
    result = defaultdict(list)
    path = Path(__file__).parents[1] / "golden" / "golden_rules_search.csv"
    for row in csv.DictReader(path.read_text("utf-8").splitlines()):
        result[row["rule"]].append((float(row["loss_before"]), float(row["moved"])))
    return dict(result)


def test_every_row_has_a_case() -> None:
    assert set(golden()) == set(_CASES)


@pytest.mark.parametrize("case", sorted(_CASES))
def test_moves_are_those_of_the_reference(case: str) -> None:
    name, peak, settings, sizes = _CASES[case]
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(64, 8, generator=generator, dtype=torch.float64)
    targets = inputs @ torch.randn(8, generator=generator, dtype=torch.float64)
    weights = [Parameter(torch.zeros(size, dtype=torch.float64)) for size in sizes]
    optimizer: Any = rules.build(name, weights, peak, **settings)
    average = torch.zeros(8, dtype=torch.float64)
    for step, (loss, moved) in enumerate(golden()[case]):
        first = 16 * step % 64
        rows = slice(0, 64) if "all rows" in case else slice(first, first + 16)

        def closure(rows: slice = rows) -> Any:
            optimizer.zero_grad()
            result: Any = (
                0.5 * (inputs[rows] @ torch.cat([*weights]) - targets[rows]).square().mean()
            )
            result.backward()
            return result

        before = _together(weights)
        assert optimizer.step(closure).item() == pytest.approx(loss, rel=1e-8)
        move = _together(weights) - before
        if "average" in case:
            with optimizer.averaged():
                move, average = _together(weights) - average, _together(weights)
        assert move.norm().item() == pytest.approx(moved, rel=1e-8)


def _together(weights: list[Parameter]) -> Tensor:
    return torch.cat([weight.detach() for weight in weights])

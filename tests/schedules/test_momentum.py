"""Momentum that is cycled: the numbers of torch's schedulers."""

from collections.abc import Callable

import pytest
import torch
from torch.optim import SGD, Adam, Optimizer
from torch.optim.lr_scheduler import CyclicLR, LRScheduler, OneCycleLR

from autolr.errors import ConfigError, UnsupportedError
from autolr.runtime.momentum import set_momentum
from autolr.schedules import Momentum, Schedule, clr, cosine, export, onecycle

STEPS = 97

PAIRS: dict[str, tuple[Momentum, Callable[[Optimizer], LRScheduler]]] = {
    "one cycle": (Momentum(onecycle()), lambda made: OneCycleLR(made, 0.1, STEPS)),
    "one cycle, settings": (
        Momentum(onecycle(rise=0.45, start=0.1, final=0.1, shape="linear"), 0.6, 0.99),
        lambda made: OneCycleLR(
            made, 0.1, STEPS, pct_start=0.45, anneal_strategy="linear", base_momentum=0.6,
            max_momentum=0.99, div_factor=10, final_div_factor=1,
        ),
    ),
    "three phases": (
        Momentum(onecycle(rise=0.4, three_phase=True)),
        lambda made: OneCycleLR(made, 0.1, STEPS, pct_start=0.4, three_phase=True),
    ),
    "triangles": (
        Momentum(clr(half=20, base=0.1), 0.8, 0.9),
        lambda made: CyclicLR(made, 0.01, 0.1, step_size_up=20),
    ),
    "halved triangles": (
        Momentum(clr(half=20, base=0.1, mode="triangular2"), 0.8, 0.9),
        lambda made: CyclicLR(made, 0.01, 0.1, step_size_up=20, mode="triangular2"),
    ),
    "shrinking triangles": (
        Momentum(clr(half=20, base=0.1, mode="exp_range", gamma=0.99), 0.8, 0.9),
        lambda made: CyclicLR(made, 0.01, 0.1, step_size_up=20, mode="exp_range", gamma=0.99),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PAIRS)
def test_it_is_the_momentum_of_torchs_scheduler(name: str) -> None:
    momentum, build = PAIRS[name]
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = SGD([weight], lr=0.01, momentum=0.5)
    scheduler = build(optimizer)
    expected = []
    for _ in range(STEPS):
        expected.append(optimizer.param_groups[0]["momentum"])
        optimizer.step()
        scheduler.step() if len(expected) < STEPS else None
    assert momentum.values(STEPS) == pytest.approx(expected, abs=1e-12, rel=0)
    assert [momentum.at(k, STEPS) for k in range(STEPS)] == momentum.values(STEPS).tolist()


def test_the_first_beta_is_the_momentum_of_adam() -> None:
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = Adam([weight], betas=(0.9, 0.99))
    set_momentum(optimizer, 0.87)
    assert optimizer.param_groups[0]["betas"] == (0.87, 0.99)
    with pytest.raises(UnsupportedError, match="Adagrad has neither momentum nor betas"):
        set_momentum(torch.optim.Adagrad([weight]), 0.87)


def test_a_table_has_it_as_a_column() -> None:
    text = export(onecycle(), STEPS, "csv", peak=0.1, momentum=(0.85, 0.95)).text
    rows = [row.split(",") for row in text.splitlines()]
    assert rows[0] == ["step", "multiplier", "rate", "momentum"]
    assert [float(row[3]) for row in rows[1:]] == Momentum(onecycle()).values(STEPS).tolist()


@pytest.mark.parametrize(
    ("schedule", "low", "high", "expected"),
    [
        (onecycle(), 0.9, 0.8, "low of Momentum must be at most high, 0.8, got 0.9"),
        (onecycle(), 0.9, 1.0, r"high of Momentum must be a number within \[0, 1\), got 1"),
        ("onecycle", 0.8, 0.9, "schedule of Momentum must be a schedule, such as"),
        (cosine(), 0.8, 0.9, r"cycled with onecycle and clr, not with cosine\(\)"),
    ],
)
def test_what_cannot_work_is_refused(
    schedule: Schedule | str, low: float, high: float, expected: str
) -> None:
    with pytest.raises(ConfigError, match=expected):
        Momentum(schedule, low, high)  # type: ignore[arg-type]


def test_a_library_without_a_schedule_of_the_momentum_says_so() -> None:
    with pytest.raises(UnsupportedError, match="optax has no schedule of the momentum"):
        export(onecycle(), STEPS, "optax", peak=0.1, momentum=(0.85, 0.95))

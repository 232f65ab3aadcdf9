"""Peaks moved to another width, batch, length and decay, against peaks that are tuned there.

    python -m examples.papers.size_rules [--rules width batch length decay]

A perceptron with two hidden layers learns scikit-learn's digits, a fifth of whose training labels
are drawn at random; the loss is that of 500 other digits with their own labels. Each line has a
setting, the best rate of a grid, where the rule puts that of the first setting, and how much worse
than the best a run is at that rate and at the rate of the first setting: the mean of three seeds.
"""

import argparse
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from autolr.rules import mup_groups, mup_initialize
from autolr.schedules import linear, transfer_size
from examples.papers.runs import SEEDS, best_of, log_curve
from examples.time_to_target.tasks_digits import digits

CLAIMS = """\
Yang et al. 2022 (muP, arXiv:2203.03466): the best rate of a narrow model is that of a wide one.
Malladi et al. 2022 (arXiv:2205.10287): Adam's goes with the root of the batch; Goyal et al. 2017
(arXiv:1706.02677): SGD's with the batch. Schaipp et al. 2025 (arXiv:2501.18965): both with one over
the root of the length. Wang & Aitchison 2024 (arXiv:2405.13698): AdamW's decay keeps
rate x decay x steps."""
Kind = Literal["adam", "sgd"]

_TRAINED = 1297  # digits; the other 500 are for validation
_NOISY = 0.2  # of their labels
_GRID = {"adam": 1e-3, "sgd": 0.1}  # the middle
_OCTAVES = 5  # of rates, on either side of it


@dataclass(frozen=True)
class Setting:
    """A run, but for its rate and seed.

    Attributes:
        kind: AdamW or SGD.
        width: Of both hidden layers.
        mup: Whether the rate is that of a model of width 32, moved by muP.
        batch: Examples in a step.
        steps: Length.
        decay: Weight decay.
    """

    kind: Kind
    width: int = 64
    mup: bool = False
    batch: int = 32
    steps: int = 200
    decay: float = 0.0


@cache
def _data() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    x, y = digits()
    rng = torch.Generator().manual_seed(0)
    order = torch.randperm(len(x), generator=rng)
    x, y = x[order], y[order]
    drawn = torch.randint(10, (_TRAINED,), generator=rng)
    noisy = torch.rand(_TRAINED, generator=rng) < _NOISY
    return x[:_TRAINED], torch.where(noisy, drawn, y[:_TRAINED]), x[_TRAINED:], y[_TRAINED:]


def network(width: int) -> nn.Sequential:
    """Return the perceptron."""
    return nn.Sequential(
        *(nn.Linear(64, width), nn.ReLU()),
        *(nn.Linear(width, width), nn.ReLU()),
        nn.Linear(width, 10),
    )


def final(setting: Setting, rate: float, seed: int) -> float:
    """Return the validation loss of a run with a linear decay; infinite where it is lost.

    Args:
        setting: The run.
        rate: Its peak.
        seed: Of weights and batches.
    """
    x, y, x_valid, y_valid = _data()
    torch.manual_seed(seed)
    model, base = network(setting.width), network(32)
    groups: object = list(model.parameters())
    if setting.mup:
        mup_initialize(model, base)
        groups = mup_groups(model, base, setting.kind, rate, setting.decay)
    made = torch.optim.AdamW if setting.kind == "adam" else torch.optim.SGD
    optimizer = made(groups, lr=rate, weight_decay=setting.decay)  # type: ignore[arg-type, operator]
    follow = torch.optim.lr_scheduler.LambdaLR(optimizer, linear().timed(setting.steps))
    rng = torch.Generator().manual_seed(seed)
    for _ in range(setting.steps):
        rows = torch.randint(_TRAINED, (setting.batch,), generator=rng)
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
        optimizer.step()
        follow.step()
    with torch.no_grad():
        loss = float(nn.functional.cross_entropy(model(x_valid), y_valid))
    return loss if math.isfinite(loss) and loss < math.log(10) else math.inf


def sweep(setting: Setting, rates: Sequence[float], seeds: Sequence[int] = SEEDS) -> list[float]:
    """Return the mean loss at each rate."""
    return [float(np.mean([final(setting, rate, seed) for seed in seeds])) for rate in rates]


def rates_of(kind: Kind) -> list[float]:
    """Return the grid of rates: a factor of 2 apart."""
    return [_GRID[kind] * 2.0**octave for octave in range(-_OCTAVES, _OCTAVES + 1)]


def compared(settings: Mapping[str, Setting], predicted: Mapping[str, float]) -> Iterator[str]:
    """Yield a line for each setting; the first is where the rate is tuned.

    Args:
        settings: By what a line is called.
        predicted: The factor of the first setting's best rate, likewise.
    """
    tuned = None
    for name, setting in settings.items():
        rates = rates_of(setting.kind)
        losses = sweep(setting, rates)
        rate, best = best_of(rates, losses)
        tuned = tuned or rate
        moved = tuned * predicted[name]
        curve = log_curve(rates, losses)
        high = max(r for r, loss in zip(rates, losses, strict=True) if math.isfinite(loss))
        worse = [
            100 * (math.exp(curve(math.log(min(max(each, rates[0]), high)))) / best - 1)
            for each in (tuned, moved)
        ]
        yield (f"{name:26}{rate:>10.3g}{moved:>10.3g}{best:>9.4f}{worse[0]:>12.1f}{worse[1]:>9.1f}")


Table = tuple[str, dict[str, Setting], dict[str, float]]


def _widths() -> Iterator[Table]:
    kinds: tuple[Kind, ...] = ("adam", "sgd")
    for kind in kinds:
        for mup in (False, True):
            settings = {f"width {width}": Setting(kind, width, mup) for width in (32, 64, 128, 256)}
            title = f"{kind}, {'muP' if mup else 'as torch makes it'}"
            yield title, settings, dict.fromkeys(settings, 1.0)


def _batches() -> Iterator[Table]:
    kinds: tuple[Kind, ...] = ("adam", "sgd")
    for kind in kinds:
        first = Setting(kind, batch=8, steps=800)
        settings = {
            f"batch {8 * r}": replace(first, batch=8 * r, steps=800 // r) for r in (1, 4, 16)
        }
        yield f"{kind}, as many examples", settings, _moved(settings)


def _lengths() -> Iterator[Table]:
    kinds: tuple[Kind, ...] = ("adam", "sgd")
    for kind in kinds:
        settings = {f"{steps} steps": Setting(kind, steps=steps) for steps in (100, 400, 1600)}
        yield kind, settings, _moved(settings)


def _moved(settings: Mapping[str, Setting]) -> dict[str, float]:
    """Return the factors of `transfer_size` from the first setting."""
    first = next(iter(settings.values()))
    return {
        name: transfer_size(
            1.0,
            linear(),
            first.steps,
            one.kind,
            to_steps=one.steps,
            batch=one.batch / first.batch,
        ).peak
        for name, one in settings.items()
    }


_TABLES = {"width": _widths, "batch": _batches, "length": _lengths}


def main() -> None:
    """Print a table for each rule."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rules", nargs="+", choices=_TABLES, default=list(_TABLES))
    torch.set_num_threads(1)
    print(CLAIMS)
    for name in parser.parse_args().rules:
        for title, settings, predicted in _TABLES[name]():
            print(f"\n{title:26}{'best':>10}{'moved':>10}{'loss':>9}{'left, %':>12}{'moved, %':>9}")
            for line in compared(settings, predicted):
                print(line, flush=True)


if __name__ == "__main__":
    main()

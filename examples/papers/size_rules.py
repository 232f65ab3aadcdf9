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
_RATE = {"adam": 4e-3, "sgd": 0.4}  # the middle of those tried
_OCTAVES = 5  # on either side of it
_DECAY = 0.3  # likewise
_TUNED = 0.0063  # the rate of AdamW in the first run of the table of decays, which has 800 steps


@dataclass(frozen=True)
class Setting:
    """A run, but for its rate and seed.

    Attributes:
        kind: AdamW or SGD.
        width: Of both hidden layers.
        mup: Whether it is made and trained as muP has it.
        batch: Examples in a step.
        steps: Length.
        decay: Weight decay.
        rate: The peak of a linear decay; with ``mup`` of a model of width 32.
    """

    kind: Kind
    width: int = 64
    mup: bool = False
    batch: int = 32
    steps: int = 200
    decay: float = 0.0
    rate: float = math.nan


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


def final(setting: Setting, seed: int) -> float:
    """Return the validation loss of a run; infinite where it is lost.

    Args:
        setting: The run.
        seed: Of weights and batches.
    """
    x, y, x_valid, y_valid = _data()
    torch.manual_seed(seed)
    model, base = network(setting.width), network(32)
    groups: object = list(model.parameters())
    if setting.mup:
        mup_initialize(model, base)
        groups = mup_groups(model, base, setting.kind, setting.rate, setting.decay)
    made = torch.optim.AdamW if setting.kind == "adam" else torch.optim.SGD
    optimizer = made(groups, lr=setting.rate, weight_decay=setting.decay)  # type: ignore[arg-type]
    follow = torch.optim.lr_scheduler.LambdaLR(optimizer, linear().timed(setting.steps))
    rng = torch.Generator().manual_seed(seed)
    for _ in range(setting.steps):
        rows = torch.randint(_TRAINED, (setting.batch,), generator=rng)
        optimizer.zero_grad()
        torch.autograd.backward(nn.functional.cross_entropy(model(x[rows]), y[rows]))
        optimizer.step()
        follow.step()
    with torch.no_grad():
        loss = float(nn.functional.cross_entropy(model(x_valid), y_valid))
    return loss if math.isfinite(loss) and loss < math.log(10) else math.inf


def sweep(setting: Setting, values: Sequence[float], seeds: Sequence[int] = SEEDS) -> list[float]:
    """Return the mean loss at each rate, or at each decay where the setting has a rate.

    Args:
        setting: The run.
        values: Of the rate or the decay.
        seeds: Those of the mean.
    """
    of_rate = math.isnan(setting.rate)
    made = [
        replace(setting, rate=value) if of_rate else replace(setting, decay=value)
        for value in values
    ]
    return [float(np.mean([final(one, seed) for seed in seeds])) for one in made]


def grid_of(setting: Setting) -> list[float]:
    """Return the rates or decays that are tried: a factor of 2 apart, of decays 4."""
    if math.isnan(setting.rate):
        return [_RATE[setting.kind] * 2.0**step for step in range(-_OCTAVES, _OCTAVES + 1)]
    return [_DECAY * 4.0**step for step in range(-2, 3)]


def compared(settings: Mapping[str, Setting], predicted: Mapping[str, float]) -> Iterator[str]:
    """Yield a line for each setting; the first is where the rate or decay is tuned.

    Args:
        settings: By what a line is called.
        predicted: The factor of the first setting's best value, likewise.
    """
    tuned = None
    for name, setting in settings.items():
        values = grid_of(setting)
        losses = sweep(setting, values)
        value, best = best_of(values, losses)
        tuned = tuned or value
        moved = tuned * predicted[name]
        curve = log_curve(values, losses)
        worse = [
            100 * (math.exp(curve(min(max(math.log(one), curve.x[0]), curve.x[-1]))) / best - 1)
            for one in (tuned, moved)
        ]
        yield f"{name:26}{value:>10.3g}{moved:>10.3g}{best:>9.4f}{worse[0]:>12.1f}{worse[1]:>9.1f}"


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


def _decays() -> Iterator[Table]:
    first = Setting("adam", steps=800, rate=_TUNED)
    settings, predicted = {}, {}
    for steps in (first.steps, 4 * first.steps):
        moved = transfer_size(
            _TUNED, linear(), first.steps, "adam", to_steps=steps, weight_decay=1.0
        )
        assert moved.weight_decay is not None
        settings[f"{steps} steps"] = replace(first, steps=steps, rate=moved.peak)
        predicted[f"{steps} steps"] = moved.weight_decay
    yield "weight decay of AdamW", settings, predicted


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


_TABLES = {"width": _widths, "batch": _batches, "length": _lengths, "decay": _decays}


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

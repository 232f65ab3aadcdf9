"""Three small workloads whose model, optimizer and batches have the settings of a point."""

from collections.abc import Callable
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from examples.time_to_target.data import load
from examples.time_to_target.peers.problem import PARTS, Point
from examples.time_to_target.tasks_base import (
    Batch,
    Loss,
    Parts,
    Task,
    cross_entropy,
    evaluator,
    sampler,
    seeded,
    split,
)
from examples.time_to_target.tasks_digits import digits
from examples.time_to_target.tasks_images import DropNet, images, shifted
from examples.time_to_target.tasks_tables import TableNet

_STEPS = {"adamw": 20 * PARTS, "sgd": 10 * PARTS}  # of a run
_HELD = 640  # rows that validate
_PEAKS = {"sgd": (1e-3, 1.0), "adamw": (1e-4, 1e-1)}

Batches = Callable[[int, int], Callable[[int], Batch]]
"""From a batch size and a seed to the batch of a step."""


class Perceptron(nn.Module):
    """Two hidden layers with dropout."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        hidden = [nn.Linear(64, width), nn.ReLU(), nn.Dropout(dropout)]
        hidden += [nn.Linear(width, width), nn.ReLU(), nn.Dropout(dropout)]
        self.net = nn.Sequential(*hidden, nn.Linear(width, 10))

    def forward(self, x: Tensor) -> Tensor:
        """Map images (batch, 64) to logits (batch, 10)."""
        logits: Tensor = self.net(x)
        return logits


def joint_digits(seed: int, point: Point) -> Task:
    """Digits by a perceptron; AdamW."""
    (x, y), (train, val) = digits(), _split(1797)
    batches = _rows((x[train], y[train]))
    model = seeded(seed, lambda: Perceptron(int(point["width"]), float(point["dropout"])))
    held = x[val], y[val]
    return _task("joint_digits", seed, point, "adamw", model, batches, cross_entropy, held)


def joint_flights(seed: int, point: Point) -> Task:
    """Late flights by a perceptron over numbers and embedded categories; AdamW."""
    rows, cards = _flights()
    train, val = _split(len(rows[0]))

    def build() -> nn.Module:
        net = TableNet(rows[0].shape[1], cards, int(point["width"]))
        for i in (2, 5):  # behind each hidden layer
            net.net.insert(i, nn.Dropout(float(point["dropout"])))
        return net

    batches, held = _rows(rows, train), tuple(each[val] for each in rows)
    return _task("joint_flights", seed, point, "adamw", seeded(seed, build), batches, _late, held)


def joint_images(seed: int, point: Point) -> Task:
    """MNIST by convolutions with batch norm and a deep head; SGD."""
    (x, y), (train, val) = images(), _split(5000)
    width, dropout = int(point["width"]), float(point["dropout"])
    model = seeded(seed, lambda: DropNet(width, 8 * width, dropout))
    held = x[val], y[val]

    def batches(size: int, seed: int) -> Callable[[int], Batch]:
        return shifted(x[train], y[train], size, seed)

    return _task("joint_images", seed, point, "sgd", model, batches, cross_entropy, held)


def _task(
    name: str,
    seed: int,
    point: Point,
    optimizer: str,
    model: nn.Module,
    batches: Batches,
    loss: Loss,
    held: Batch,
) -> Task:
    kept = 1 - float(point["forgetting"])
    moment = {"momentum": kept} if optimizer == "sgd" else {"betas": (0.9, kept)}
    return Task(
        name=name,
        seed=seed,
        steps=_STEPS[optimizer],
        model=model,
        optimizer=optimizer,
        settings={"weight_decay": float(point["weight_decay"]), **moment},
        batch=batches(int(point["batch_size"]), seed),
        loss=loss,
        validate=evaluator(loss, held),
        validation=Parts(held, 4),
        peaks=_PEAKS[optimizer],
    )


def _split(n: int) -> tuple[Tensor, Tensor]:
    train, val = split(n, _HELD)
    return train, val


def _rows(data: Batch, train: Tensor | None = None) -> Batches:
    """Return batches of rows: of those in ``train``, or of all."""
    n = len(data[0]) if train is None else len(train)

    def of(size: int, seed: int) -> Callable[[int], Batch]:
        indices = sampler(n, size, seed)

        def batch(i: int) -> Batch:
            chosen = indices(i) if train is None else train[indices(i)]
            return tuple(each[chosen] for each in data)

        return batch

    return of


@cache
def _flights() -> tuple[Batch, list[int]]:
    """Return numbers, categories and what is predicted, and how many categories there are."""
    arrays = load("flights")
    numbers, labels = torch.tensor(arrays["num"]).float(), torch.tensor(arrays["y"]).float()
    categories = torch.tensor(arrays["cat"]).long()
    cards = [int(card) + 1 for card in categories.max(0).values]
    return (numbers, categories, labels), cards


def _late(model: nn.Module, batch: Batch) -> Tensor:
    return F.binary_cross_entropy_with_logits(model(batch[0], batch[1]), batch[2])


WORKLOADS: dict[str, Callable[[int, Point], Task]] = {
    made.__name__: made for made in (joint_digits, joint_flights, joint_images)
}

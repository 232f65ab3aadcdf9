"""Tables: late flights by a perceptron with embeddings, film ratings by factorization."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from examples.time_to_target.data import load
from examples.time_to_target.tasks_base import (
    Batch,
    Parts,
    Task,
    evaluator,
    grid,
    sampler,
    seeded,
    split,
)


class TableNet(nn.Module):
    """A perceptron over numbers and embedded categories, with one output."""

    def __init__(self, n_numbers: int, cards: list[int], width: int = 64, embed: int = 6) -> None:
        super().__init__()
        self.embeddings = nn.ModuleList(nn.Embedding(card, embed) for card in cards)
        self.net = nn.Sequential(
            nn.Linear(n_numbers + embed * len(cards), width),
            nn.ReLU(),
            nn.Linear(width, width),
            nn.ReLU(),
            nn.Linear(width, 1),
        )

    def forward(self, num: Tensor, cat: Tensor) -> Tensor:
        """Map (batch, numbers) and (batch, categories) to logits (batch,)."""
        embedded = [table(cat[:, j]) for j, table in enumerate(self.embeddings)]
        logits: Tensor = self.net(torch.cat([num, *embedded], 1)).squeeze(-1)
        return logits


def mlp_flights(seed: int, scale: float) -> Task:
    """Whether a flight from New York comes late; Adam."""
    arrays = load("flights")
    num = torch.tensor(arrays["num"]).float()
    cat, y = torch.tensor(arrays["cat"]).long(), torch.tensor(arrays["y"]).float()
    train, val = split(len(y), 8000)
    held = num[val], cat[val], y[val]
    indices = sampler(len(train), 128, seed)

    def batch(i: int) -> Batch:
        rows = train[indices(i)]
        return num[rows], cat[rows], y[rows]

    def loss(model: nn.Module, batch: Batch) -> Tensor:
        return F.binary_cross_entropy_with_logits(model(batch[0], batch[1]), batch[2])

    cards = [int(card) + 1 for card in cat.max(0).values]
    return Task(
        name="mlp_flights",
        seed=seed,
        steps=int(3000 * scale),
        model=seeded(seed, lambda: TableNet(num.shape[1], cards)),
        optimizer="adam",
        settings={},
        batch=batch,
        loss=loss,
        validate=evaluator(loss, held),
        validation=Parts(held, 8),
        peaks=grid(1e-4, 1e-1),
        stackable=True,
    )


class Factors(nn.Module):
    """A rating as mean + product of factors + biases; a table's last column is the bias."""

    def __init__(self, users: int, items: int, width: int = 16) -> None:
        super().__init__()
        self.users, self.items = nn.Embedding(users, width + 1), nn.Embedding(items, width + 1)
        self.mean = nn.Parameter(torch.tensor(3.5))
        for table in (self.users, self.items):
            nn.init.normal_(table.weight, std=0.1)
            nn.init.zeros_(table.weight[:, -1])

    def forward(self, user: Tensor, item: Tensor) -> Tensor:
        """Map indices (batch,) and (batch,) to ratings (batch,)."""
        u, i = self.users(user), self.items(item)
        rating: Tensor = self.mean + (u[:, :-1] * i[:, :-1]).sum(-1) + u[:, -1] + i[:, -1]
        return rating


def mf_movielens(seed: int, scale: float) -> Task:
    """How a user rates a film; SGD with momentum."""
    arrays = load("movielens")
    user, item = torch.tensor(arrays["u"]).long(), torch.tensor(arrays["i"]).long()
    rating = torch.tensor(arrays["r"])
    train, val = split(len(rating), 10_000)
    held = user[val], item[val], rating[val]
    indices = sampler(len(train), 256, seed)

    def batch(i: int) -> Batch:
        rows = train[indices(i)]
        return user[rows], item[rows], rating[rows]

    def loss(model: nn.Module, batch: Batch) -> Tensor:
        error: Tensor = model(batch[0], batch[1]) - batch[2]
        return error.square().mean()

    return Task(
        name="mf_movielens",
        seed=seed,
        steps=int(3000 * scale),
        model=seeded(seed, lambda: Factors(int(user.max()) + 1, int(item.max()) + 1)),
        optimizer="sgd",
        settings={"momentum": 0.9, "weight_decay": 2e-5},
        batch=batch,
        loss=loss,
        validate=evaluator(loss, held),
        validation=Parts(held, 8),
        peaks=grid(0.03, 30.0),
        stackable=True,
    )

"""A small run for loops of one's own: digits, with every source of state that a step can have."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import torch
import torch.nn.functional as F
from torch import nn

STEPS = 60
WIDE = (2.0**-14, 4.0)  # a run begins with its own rate, 2**-6, their mean; the best is higher
OWN = 2.0**-6  # a power of two: peak / own * own is exact, and no bit differs in a replay
BATCHES = 12


def net(norm=True):
    torch.manual_seed(0)
    middle = [nn.BatchNorm1d(16)] if norm else []
    return nn.Sequential(nn.Linear(16, 16), *middle, nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 4))


def sgd(model, lr=OWN):
    return torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)


def data(count, seed, size=24):
    """Return batches of points, and which of four quarters of their features is the largest."""
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(count, size, 16, generator=generator)
    return [(some, some.view(size, 4, 4).sum(2).argmax(1)) for some in inputs]


def loop(steps, batches=BATCHES):
    """Yield a batch for each step."""
    given = data(batches, seed=1)
    for step in range(steps):
        yield given[step % batches]


def loss(model, batch):
    return F.cross_entropy(model(batch[0]), batch[1])


def validate(model):
    """Return the losses on the validation batches."""
    torch.rand(3)  # a run without a search does not draw them
    return [float(loss(model, batch)) for batch in data(4, seed=2)]


def left(model, optimizer):
    """Return all that training has changed, the generator too."""
    momenta = [optimizer.state[p]["momentum_buffer"] for p in model.parameters()]
    return [*(value.clone() for value in model.state_dict().values()), *momenta, torch.rand(2)]


def same(ours, theirs):
    return all(torch.equal(one, other) for one, other in zip(ours, theirs, strict=True))

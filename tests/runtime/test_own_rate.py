"""A rate that wins the race, and loses the run: the user's own one trains on beside it."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import copy

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.functional import cross_entropy
from torch.optim.lr_scheduler import LambdaLR

import autolr

STEPS, BATCH, OWN = 500, 32, 0.01


def imbalanced(seed):
    """Return digits of which most are 0, 1 or 2: 120 to validate on, 300 left out, the rest."""
    images, labels = load_digits(return_X_y=True)
    draws = np.random.default_rng(seed)
    kept = np.array([draws.random() < (1.0 if label < 3 else 0.12) for label in labels])
    x = torch.tensor(images[kept] / 16, dtype=torch.float32)
    y = torch.tensor(labels[kept])
    order = np.random.default_rng(seed).permutation(len(x))
    return [(x[part], y[part]) for part in (order[420:], order[:120])]


def run_of(seed):
    """Return data, the network with its optimizer, and the batches of a run."""
    torch.manual_seed(seed)
    parts = imbalanced(seed)
    layers = []
    for width in (64, 128):
        layers += [nn.Linear(width, 128), nn.ReLU(), nn.Dropout(0.5)]
    model = nn.Sequential(*layers, nn.Linear(128, 10))
    drawn = torch.Generator().manual_seed(seed)
    train = len(parts[0][0])
    batches = [torch.randperm(train, generator=drawn)[:BATCH] for _ in range(STEPS)]
    return parts, model, batches


def trained(seed, rate, schedule=None):
    """Train without autolr; return the network and its validation loss."""
    (train, held), model, batches = run_of(seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    factor = (lambda step: 1.0) if schedule is None else schedule.timed(STEPS)
    scheduler = LambdaLR(optimizer, factor)
    for batch in batches:
        optimizer.zero_grad()
        cross_entropy(model(train[0][batch]), train[1][batch]).backward()
        optimizer.step()
        scheduler.step()
    return model, validated(model, held)


def validated(model, held):
    model.eval()
    with torch.no_grad():
        value = float(cross_entropy(model(held[0]), held[1]))
    model.train()
    return value


def tuner_of(model, held, **settings):
    """Return an optimizer at the user's rate, and the tuner that searches beside it."""
    optimizer = torch.optim.Adam(model.parameters(), lr=OWN)
    thirds = [(held[0][i : i + 40], held[1][i : i + 40]) for i in range(0, 120, 40)]
    return optimizer, autolr.Tuner(
        model,
        optimizer,
        STEPS,
        validate=lambda model: [float(cross_entropy(model(x), y)) for x, y in thirds],
        **settings,
    )


def searched(seed, stop=STEPS, **settings):
    """Train in a tuner; return the network, its validation loss and what was found.

    Args:
        seed: Of data, weights and batches.
        stop: Step at which another process takes over.
        settings: Of the tuner.
    """
    (train, held), model, batches = run_of(seed)
    optimizer, tuner = tuner_of(model, held, **settings)

    def steps(model, tuner, batches):
        for batch in batches:
            tuner.step(lambda: cross_entropy(model(train[0][batch]), train[1][batch]))  # noqa: B023

    steps(model, tuner, batches[:stop])
    if stop < STEPS:
        stored = [one.state_dict() for one in (model, optimizer, tuner)]
        _, model, _ = run_of(seed)
        optimizer, tuner = tuner_of(model, held, **settings)
        for one, state in zip((model, optimizer, tuner), copy.deepcopy(stored), strict=True):
            one.load_state_dict(state)
        steps(model, tuner, batches[stop:])
    return model, validated(model, held), tuner.result


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_users_rate_takes_the_place_of_one_that_has_stopped_learning(seed):
    _, own = trained(seed, OWN)
    _, found, result = searched(seed)
    untrained = 2.3
    assert result.peak == OWN
    assert found < own + 0.05 * untrained


@pytest.mark.slow
def test_such_a_run_is_replayed_bit_for_bit():
    model, _, result = searched(1, strategy=autolr.Annealed(rollback="never"))
    raced = result.scores[0].horizon
    assert next(s.candidate.peak for s in result.scores if s.horizon == raced and s.kept) > OWN
    assert result.peak == OWN
    again, _ = trained(1, result.peak, result.schedule)
    for one, other in zip(model.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.slow
@pytest.mark.parametrize("stop", [18, 40], ids=["beside the check", "beside the run"])
def test_a_run_that_is_stopped_meanwhile_continues_bit_for_bit(stop):
    model, _, result = searched(1)
    again, _, resumed = searched(1, stop)
    assert resumed.scores == result.scores
    for one, other in zip(model.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)

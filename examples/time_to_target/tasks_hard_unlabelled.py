"""Hard starts, without labels: a VAE whose loss rises by design, a student whose teacher moves."""

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
)
from examples.time_to_target.tasks_digits import digits
from examples.time_to_target.tasks_hard_data import three_way

_CODE = 8  # numbers that the VAE squeezes a digit into
_RISE = 0.5  # share of the run in which the factor of the divergence rises to 1

_MOMENTUM = 0.99  # of the teacher
_WIDTH, _FEATURES, _PROJECTED = 64, 16, 32
_PROBED = 512  # training images that the linear probe is fitted to
_RIDGE = 1e-2  # of the probe, as a share of the features' mean square


class VAE(nn.Module):
    """Gaussian encoder and Bernoulli decoder of images (batch, 64) within [0, 1]."""

    def __init__(self, hidden: int = 64) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(64, hidden), nn.ReLU(), nn.Linear(hidden, 2 * _CODE))
        self.decoder = nn.Sequential(nn.Linear(_CODE, hidden), nn.ReLU(), nn.Linear(hidden, 64))

    def forward(self, x: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Return the error of reconstruction and the divergence, in nats an image."""
        mean, log_var = self.encoder(x).chunk(2, -1)
        logits = self.decoder(mean + noise * (log_var / 2).exp())
        error = F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(-1).mean()
        divergence = -0.5 * (1 + log_var - mean.square() - log_var.exp()).sum(-1).mean()
        return error, divergence


def _coded(x: Tensor, seed: int) -> Batch:
    """Return images and the noise of their codes."""
    return x, torch.randn(len(x), _CODE, generator=torch.Generator().manual_seed(seed))


def _negative_elbo(model: nn.Module, batch: Batch) -> Tensor:
    error, divergence = model(*batch)
    total: Tensor = error + divergence
    return total


def vae_kl(seed: int, scale: float) -> Task:
    """A VAE whose divergence counts more and more; Adam. The whole bound is judged."""
    x = torch.tensor(load("digits")["x"])
    train, val, test = three_way(len(x))
    indices = sampler(len(train), 32, seed)
    steps = int(900 * scale)

    def annealed(model: nn.Module, batch: Batch, step: int) -> Tensor:
        error, divergence = model(*batch)
        total: Tensor = error + min(1.0, step / (_RISE * steps)) * divergence
        return total

    return Task(
        name="vae_kl",
        seed=seed,
        steps=steps,
        model=seeded(seed, VAE),
        optimizer="adam",
        settings={},
        batch=lambda i: _coded(x[train[indices(i)]], seed * 7_777_777 + i),
        loss=_negative_elbo,
        validate=evaluator(_negative_elbo, _coded(x[val], seed=1)),
        validation=Parts(_coded(x[val], seed=1), 8),
        peaks=grid(1e-4, 1e-1, 7),
        score=_negative_elbo,
        monitor=annealed,
        loss_at=annealed,
        test=evaluator(_negative_elbo, _coded(x[test], seed=2)),
    )


def _perceptron(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(inputs, _WIDTH), nn.BatchNorm1d(_WIDTH), nn.ReLU(), nn.Linear(_WIDTH, outputs)
    )


class Branch(nn.Module):
    """An encoder of images (batch, 64) and the projection that is compared."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = _perceptron(64, _FEATURES)
        self.projector = _perceptron(_FEATURES, _PROJECTED)

    def forward(self, x: Tensor) -> Tensor:
        """Return the projection (batch, 32)."""
        projected: Tensor = self.projector(self.encoder(x))
        return projected


class BYOL(nn.Module):
    """A student that predicts what its teacher, a moving average of it, sees in another view."""

    def __init__(self) -> None:
        super().__init__()
        self.student, self.teacher = Branch(), Branch()
        self.predictor = _perceptron(_PROJECTED, _PROJECTED)
        self.teacher.load_state_dict(self.student.state_dict())
        self.teacher.requires_grad_(requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the features (batch, 16) that a probe is fitted to."""
        features: Tensor = self.student.encoder(x)
        return features

    def agreement(self, seen: Tensor, other: Tensor) -> Tensor:
        """Return the squared distance of the prediction from the teacher's view, normalized."""
        with torch.no_grad():
            target = self.teacher(other)
        predicted = self.predictor(self.student(seen))
        return (2 - 2 * F.cosine_similarity(predicted, target)).mean()

    @torch.no_grad()
    def follow(self) -> None:
        """Move the teacher towards the student."""
        pairs = zip(self.teacher.parameters(), self.student.parameters(), strict=True)
        for theirs, ours in pairs:
            theirs.lerp_(ours, 1 - _MOMENTUM)


def _views(x: Tensor, seed: int) -> Batch:
    """Return two views of images: shifted by up to a pixel, with noise and missing pixels."""
    generator = torch.Generator().manual_seed(seed)
    return _view(x, generator), _view(x, generator)


def _view(x: Tensor, generator: torch.Generator) -> Tensor:
    down, right = torch.randint(-1, 2, (2,), generator=generator).tolist()
    moved = x.view(-1, 8, 8).roll((down, right), (1, 2)).flatten(1)
    noisy = moved + 0.3 * torch.randn(x.shape, generator=generator)
    return noisy * (torch.rand(x.shape, generator=generator) > 0.2)


def _agreement(model: nn.Module, batch: Batch) -> Tensor:
    """Move the teacher, as training steps do; return the loss of both views."""
    assert isinstance(model, BYOL)
    if model.training:
        model.follow()
    return model.agreement(batch[0], batch[1]) + model.agreement(batch[1], batch[0])


def byol_digits(seed: int, scale: float) -> Task:
    """A student and its teacher on digits; AdamW. Judged by the error of a linear probe."""
    x, y = digits()
    train, val, test = three_way(len(x), held=480)
    indices = sampler(len(train), 64, seed)
    probed, labels = x[train[:_PROBED]], F.one_hot(y[train[:_PROBED]], 10).float()

    def error(model: nn.Module, batch: Batch) -> Tensor:
        """Return the share of images that a ridge regression on the features takes for others."""
        features = _with_bias(model(probed))
        square = features.T @ features
        ridge = _RIDGE * square.diagonal().mean() * torch.eye(len(square))
        probe = torch.linalg.solve(square + ridge, features.T @ labels)
        guessed = (_with_bias(model(batch[0])) @ probe).argmax(1)
        wrong: Tensor = guessed != batch[1]
        return wrong.float().mean()

    return Task(
        name="byol_digits",
        seed=seed,
        steps=int(600 * scale),
        model=seeded(seed, BYOL),
        optimizer="adamw",
        settings={},
        batch=lambda i: _views(x[train[indices(i)]], seed * 7_777_777 + i),
        loss=_agreement,
        validate=evaluator(error, (x[val], y[val])),
        validation=Parts((x[val], y[val]), 8),
        peaks=grid(1e-4, 1e-1, 7),
        score=error,
        test=evaluator(error, (x[test], y[test])),
    )


def _with_bias(features: Tensor) -> Tensor:
    return torch.cat([features, torch.ones(len(features), 1)], 1)

"""Small modules that optimize by hand."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from tests.callbacks.namespace import pl
from tests.callbacks.runs import LR, Net


class Manual(Net):
    """As `Net`, with the steps of its one optimizer made by hand."""

    def __init__(self, lr=LR):
        super().__init__(lr)
        self.automatic_optimization = False

    def training_step(self, batch, batch_idx):
        loss = super().training_step(batch, batch_idx)
        optimizer = self.optimizers()
        optimizer.zero_grad()
        self.manual_backward(loss)
        optimizer.step()
        return loss


class Silent(Manual):
    """Returns no loss."""

    def training_step(self, batch, batch_idx):
        super().training_step(batch, batch_idx)


class Raw(Manual):
    """Steps the optimizer behind Lightning's wrapper: no ``global_step`` counts that."""

    def training_step(self, batch, batch_idx):
        loss = F.cross_entropy(self(batch[0]), batch[1])
        optimizer = self.optimizers(use_pl_optimizer=False)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss


class Closing(Manual):
    """Passes the whole step to its optimizer as a closure."""

    def training_step(self, batch, batch_idx):
        optimizer = self.optimizers()

        def closure():
            loss = Net.training_step(self, batch, batch_idx)
            optimizer.zero_grad()
            self.manual_backward(loss)
            return loss

        return optimizer.step(closure=closure)


class Accumulating(Manual):
    """Steps on every third batch, as in `accumulate_grad_batches`, and clips gradients."""

    every = 3

    def training_step(self, batch, batch_idx):
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.manual_backward(loss / self.every)
        if (batch_idx + 1) % self.every == 0:
            optimizer = self.optimizers()
            self.clip_gradients(optimizer, gradient_clip_val=1.0, gradient_clip_algorithm="norm")
            optimizer.step()
            optimizer.zero_grad()
        return loss


class Scheduled(Manual):
    """Steps a scheduler after each step of its optimizer; it computes from the present rate."""

    def training_step(self, batch, batch_idx):
        loss = super().training_step(batch, batch_idx)
        self.lr_schedulers().step()
        return loss

    def configure_optimizers(self):
        optimizer = super().configure_optimizers()
        return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 28, LR / 16)]


class Two(Net):
    """Two optimizers on one loss, of unlike rates: the body's and the head's."""

    def __init__(self, lr=LR):
        super().__init__(lr)
        self.automatic_optimization = False

    def training_step(self, batch, batch_idx):
        loss = super().training_step(batch, batch_idx)
        self.zero_grad()
        self.manual_backward(loss)
        for optimizer in self.optimizers():
            optimizer.step()
        return loss

    def configure_optimizers(self):
        body = torch.optim.SGD(self.body.parameters(), lr=16 * self.hparams.lr, momentum=0.9)
        return [body, torch.optim.AdamW(self.head.parameters(), lr=self.hparams.lr)]


class Gan(pl.LightningModule):
    """A generator of points near a circle, and what tells them apart; no loss is returned.

    The discriminator steps on each batch, the generator on every ``every``-th. Validation logs how
    far the points are from those of the data: a kernel distance.
    """

    def __init__(self, every=2, toggles="within batches"):
        super().__init__()
        self.save_hyperparameters()
        self.automatic_optimization = False
        self.generator = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2))
        self.critic = nn.Sequential(nn.Linear(2, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1))
        self.steps = []
        self.toggled = None

    def training_step(self, batch, batch_idx):
        (real,) = batch
        first, second = self.optimizers()
        noise = torch.randn(len(real), 4, device=self.device)
        self.steps.append(self.global_step)
        self.toggle(1)
        second.zero_grad()
        false = self.critic(self.generator(noise).detach())
        loss = F.softplus(-self.critic(real)).mean() + F.softplus(false).mean()
        self.manual_backward(loss)
        self.clip_gradients(second, gradient_clip_val=5.0, gradient_clip_algorithm="norm")
        second.step()
        self.log("critic", loss)
        if batch_idx % self.hparams.every == 0:
            self.toggle(0)
            first.zero_grad()
            loss = F.softplus(-self.critic(self.generator(noise))).mean()
            self.manual_backward(loss)
            first.step()
            self.log("generator", loss)
        if self.hparams.toggles == "within batches":
            self.toggle(None)
        self.steps.append(self.global_step)

    def toggle(self, index):
        """Let the parameters of one optimizer alone require a gradient; None: of both."""
        optimizers = self.optimizers()
        if self.toggled is not None:
            self.untoggle_optimizer(optimizers[self.toggled])
        self.toggled = None if self.hparams.toggles == "never" else index
        if self.toggled is not None:
            self.toggle_optimizer(optimizers[self.toggled])

    def validation_step(self, batch, batch_idx):
        noise = torch.randn(64, 4, generator=torch.Generator().manual_seed(5))
        self.log("distance", kernel_distance(self.generator(noise), batch[0]))

    def configure_optimizers(self):
        settings = {"lr": 2e-3, "betas": (0.5, 0.9)}
        return [
            torch.optim.Adam(self.generator.parameters(), **settings),
            torch.optim.Adam(self.critic.parameters(), **settings),
        ]


def kernel_distance(left, right):
    """Return the squared maximum mean discrepancy with a Gaussian kernel."""

    def mean(a, b):
        return torch.exp(-torch.cdist(a, b).square()).mean()

    return mean(left, left) + mean(right, right) - 2 * mean(left, right)


def points(count, seed):
    """Return points near a circle."""
    generator = torch.Generator().manual_seed(seed)
    angle = 6.2832 * torch.rand(count, generator=generator)
    circle = torch.stack([angle.cos(), angle.sin()], dim=1)
    return TensorDataset(circle + 0.05 * torch.randn(count, 2, generator=generator))


def circle(**settings):
    """Return what a fit of a `Gan` trains and validates on: 7 batches, the last of 4 points."""
    train = DataLoader(points(100, 1), **{"batch_size": 16, "shuffle": True, **settings})
    return {"train": train, "val": DataLoader(points(128, 2), batch_size=128), "best": "distance"}

"""The modules that two processes train in `test_ddp`."""
# mypy: allow-untyped-calls, allow-untyped-defs

import math
import os

import lightning.pytorch as pl
import torch
import torch.nn.functional as F
from torch import nn

from tests.callbacks.runs import LR, Net

RANK = int(os.environ.get("LOCAL_RANK", "0"))


class Smooth(pl.LightningModule):
    """Two layers, without anything that draws or depends on the rest of a batch."""

    def __init__(self, lr=LR):
        super().__init__()
        self.lr = lr
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(36, 8), nn.Tanh(), nn.Linear(8, 4))

    def training_step(self, batch, batch_idx):
        return F.cross_entropy(self.body(batch[0]), batch[1])

    def validation_step(self, batch, batch_idx):
        self.log("val_loss", F.cross_entropy(self.body(batch[0]), batch[1]))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.lr, momentum=0.9)


class Compiled(Net):
    """Its two parts are compiled."""

    def __init__(self):
        super().__init__()
        self.body = torch.compile(self.body, backend="aot_eager")
        self.head = torch.compile(self.head, backend="aot_eager")


class ByHand(Smooth):
    """As `Smooth`; it makes its steps itself."""

    automatic_optimization = False

    def training_step(self, batch, batch_idx):
        loss = super().training_step(batch, batch_idx)
        (optimizer,) = self.trainer.strategy._lightning_optimizers
        optimizer.zero_grad()
        self.manual_backward(loss)
        optimizer.step()
        return loss


class InTurns(Smooth):
    """Two optimizers, each of a layer; they step in turns, and the second on every other batch."""

    automatic_optimization = False

    def training_step(self, batch, batch_idx):
        optimizers = self.trainer.strategy._lightning_optimizers
        for optimizer in optimizers[: 1 + batch_idx % 2]:
            with optimizer.toggle_model():
                optimizer.zero_grad()
                self.manual_backward(super().training_step(batch, batch_idx))
                optimizer.step()

    def configure_optimizers(self):
        first, second = self.body[1], self.body[3]
        return [
            torch.optim.SGD(first.parameters(), lr=4 * self.lr, momentum=0.9),
            torch.optim.AdamW(second.parameters(), lr=self.lr),
        ]


class Scheduled(Net):
    """Brings a one-cycle schedule of its own."""

    def configure_optimizers(self):
        optimizer = torch.optim.AdamW(self.parameters(), lr=LR)
        scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, LR, total_steps=18)
        return [optimizer], [{"scheduler": scheduler, "interval": "step"}]


class Partly(Net):
    """Has a layer that only some batches use, and on one rank only."""

    def __init__(self):
        super().__init__()
        self.extra = nn.Linear(64, 4)

    def forward(self, images):
        used = self.trainer.training and RANK == 1 and self.trainer.global_step % 2
        features = self.body(images)
        return self.head(features) + (self.extra(features) if used else 0)


class Shifted(Net):
    """Keeps a mean of its own rank's images in a buffer, and trains on what differs from it."""

    mean: torch.Tensor

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(()))

    def forward(self, images):
        if self.training:
            self.mean.lerp_(images.mean(), 0.5)
        return super().forward(images - 5 * self.mean)


class Local(Smooth):
    """Its loss, but not its gradient, is NaN on rank 1 if its first steps have led far."""

    far = 10.0

    def __init__(self):
        super().__init__(lr=0.1)

    def training_step(self, batch, batch_idx):
        loss = super().training_step(batch, batch_idx)
        early = self.trainer.global_step < 20
        far = float(next(self.parameters()).detach().norm()) > self.far
        return loss + (math.nan if RANK == 1 and early and far else 0)


class Fragile(Local):
    """Already the rate that the run begins with leads too far."""

    far = 1.8


class Refusing(Local):
    """Raises on rank 1 in place of a loss that is NaN."""

    def training_step(self, batch, batch_idx):
        loss = super().training_step(batch, batch_idx)
        if loss.isnan():
            raise ValueError("the loss\nis NaN")
        return loss


class Offset(Smooth):
    """Keeps its rank in a buffer, which the wrapper overwrites before the next step."""

    offset: torch.Tensor

    def __init__(self):
        super().__init__()
        self.register_buffer("offset", torch.zeros(()))

    def training_step(self, batch, batch_idx):
        self.offset.fill_(RANK)
        return super().training_step(batch, batch_idx)

    def validation_step(self, batch, batch_idx):
        self.log("val_loss", 1 + self.offset)


class Raising(Smooth):
    """Raises on rank 1 in the second pass over validation data."""

    passes = 0

    def on_validation_start(self):
        type(self).passes += 1

    def validation_step(self, batch, batch_idx):
        if RANK == 1 and self.passes == 3:  # the first one looks for the monitor
            raise ValueError("a broken\nimage")
        super().validation_step(batch, batch_idx)


class Counting(Smooth):
    """Counts the steps of its optimizer."""

    made = 0

    def count(self, *_):
        type(self).made += 1

    def configure_optimizers(self):
        type(self).made = 0
        optimizer = super().configure_optimizers()
        optimizer.register_step_post_hook(self.count)
        return optimizer


class Silent(Smooth):
    """Logs another metric on rank 1."""

    def validation_step(self, batch, batch_idx):
        self.log("loss" if RANK == 1 else "val_loss", 1.0)

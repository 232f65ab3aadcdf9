"""Modules whose optimizer notes the rate of each step."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import torch
from lightning.pytorch.callbacks import ModelCheckpoint

from autolr import schedules
from tests.callbacks.namespace import pl
from tests.callbacks.runs import LR, Bare

RATES = (2.0**-16, 2.0**-6)
FALLING = schedules.warmup(4) | schedules.cosine()


class SpyAdamW(torch.optim.AdamW):
    """Notes the rates and the momentum with which the weights move."""

    used: list[tuple[float, ...]]

    def step(self, closure=None):
        with torch.enable_grad():
            loss = closure()
        self.used.append(tuple(g["lr"] for g in self.param_groups))
        self.momentum = self.param_groups[0]["betas"][0]
        super().step()
        return loss


class Groups(Bare):
    """Two groups; logs its own rate; ``scheduler`` makes its schedulers."""

    scheduler = None

    def training_step(self, batch, batch_idx):
        self.log("my_rate", self.optimizers().param_groups[1]["lr"])
        return super().training_step(batch, batch_idx)

    def configure_optimizers(self):
        groups = [{"params": self.body.parameters(), "lr": LR / 4}]
        groups += [{"params": self.head.parameters()}]
        optimizer = SpyAdamW(groups, lr=LR)
        optimizer.used = []
        if type(self).scheduler is None:
            return optimizer
        made = type(self).scheduler(optimizer)
        return [optimizer], [{"scheduler": made, "interval": "step"}]


class Live(pl.Callback):
    """Keeps what the live run stepped with: rivals step on the same optimizer after it."""

    def __init__(self):
        self.used, self.momenta = [], []

    def on_train_batch_end(self, trainer, pl_module, *_):
        (optimizer,) = trainer.optimizers
        self.used.append(optimizer.used[-1])
        self.momenta.append(optimizer.momentum)


def kept(folder):
    return ModelCheckpoint(folder, "{epoch}", save_top_k=-1)

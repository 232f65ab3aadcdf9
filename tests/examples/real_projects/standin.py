"""A script as those of the projects, which needs no project."""

from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer, seed_everything
from torch.utils.data import DataLoader, TensorDataset

from examples.real_projects.fitted import TRAINER, Fitted, fitted

METRIC, SEARCH, SCHEDULED = "val_loss", {"monitor": "val_loss"}, False
RATE, STEPS = 0.01, 80


class Line(LightningModule):
    """A linear regression."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate
        self.layer = torch.nn.Sequential(torch.nn.Dropout(0.1), torch.nn.Linear(4, 1))

    def training_step(self, batch: Any) -> torch.Tensor:
        loss: torch.Tensor = (self.layer(batch[0]) - batch[1]).pow(2).mean()
        return loss

    def validation_step(self, batch: Any) -> None:
        self.log("val_loss", self.training_step(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=self.rate)


def fit(
    callbacks: list[Any], max_steps: int, seed: int, rate: float = RATE, kind: type[Line] = Line
) -> Fitted:
    seed_everything(seed, verbose=False)
    inputs = torch.randn(64, 4)
    data = TensorDataset(inputs, inputs.sum(1, keepdim=True))
    module = kind(rate)
    trainer = Trainer(
        max_steps=max_steps, callbacks=callbacks, logger=False, enable_checkpointing=False,
        **TRAINER,
    )  # fmt: skip
    trainer.fit(module, DataLoader(data, 8, shuffle=True), DataLoader(data, 64))
    return fitted(module, trainer.callback_metrics[METRIC])

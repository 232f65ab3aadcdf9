"""A project whose only weight goes towards one, and a study of it."""

from pathlib import Path
from typing import Any

MODEL = """\
import torch
from lightning.pytorch import LightningDataModule, LightningModule
from torch.utils.data import DataLoader, TensorDataset


class Mean(LightningModule):
    def __init__(self):
        super().__init__()
        self.w = torch.nn.Parameter(torch.zeros(1))

    def training_step(self, batch):
        return ((self.w - batch[0]) ** 2).mean()

    def validation_step(self, batch):
        self.log("val_loss", ((self.w - 1) ** 2).mean())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


class Ones(LightningDataModule):
    def train_dataloader(self):
        return DataLoader(TensorDataset(torch.ones(27)), 1)

    def val_dataloader(self):
        return DataLoader(TensorDataset(torch.ones(2)), 2)
"""


def config_in(folder: Path) -> dict[str, Any]:
    """Write the project into a folder; return the config of a study of five trials."""
    (folder / "mean_of_ones.py").write_text(MODEL)
    return {
        "trainer": {"max_epochs": 1, "accelerator": "cpu"},
        "model": {"class_path": "mean_of_ones.Mean"},
        "data": {"class_path": "mean_of_ones.Ones"},
        "tune": {"space": {"lr": [0.001, 0.003, 0.01, 0.03, 0.1]}, "trials": 5},
    }

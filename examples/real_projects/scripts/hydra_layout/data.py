"""The data module of the configs."""

import torch
from lightning.pytorch import LightningDataModule
from sklearn.datasets import load_digits
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, TensorDataset, random_split
from typing_extensions import override


class Digits(LightningDataModule):
    """scikit-learn's handwritten digits.

    Args:
        batch_size: Of training and validation.
        train_share: How many of the digits are trained on.
    """

    def __init__(self, batch_size: int, train_share: float) -> None:
        super().__init__()
        self.save_hyperparameters(logger=False)
        self.parts: list[Dataset[tuple[Tensor, ...]]] = []

    @override
    def setup(self, stage: str) -> None:
        if self.parts:
            return
        pixels, labels = (torch.tensor(values) for values in load_digits(return_X_y=True))
        data = TensorDataset(pixels.float() / 8 - 1, labels)
        share = float(self.hparams["train_share"])
        drawn = torch.Generator().manual_seed(42)
        self.parts = [*random_split(data, (share, 1 - share), generator=drawn)]

    @override
    def train_dataloader(self) -> DataLoader[tuple[Tensor, ...]]:
        return DataLoader(self.parts[0], self.hparams["batch_size"], shuffle=True)

    @override
    def val_dataloader(self) -> DataLoader[tuple[Tensor, ...]]:
        return DataLoader(self.parts[1], self.hparams["batch_size"])

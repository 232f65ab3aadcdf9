"""A small CNN on scikit-learn's handwritten digits (1,797 images of 8 x 8 pixels)."""

import torch
import torch.nn.functional as F
from lightning.pytorch import LightningDataModule, LightningModule
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset, random_split
from torchmetrics.classification import MulticlassAccuracy

torch.set_num_threads(1)  # the network is too small to gain from more


class DigitsCNN(LightningModule):
    """Two convolutions and a linear layer, trained with AdamW.

    Args:
        hidden: Channels of the first convolution; the second has twice as many.
        dropout: Share of the features that is dropped in training.
        lr: Rate of the optimizer, if no callback sets it.
    """

    def __init__(self, hidden: int = 16, dropout: float = 0.2, lr: float = 1e-3) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.lr = lr
        self.accuracy = MulticlassAccuracy(num_classes=10, average="micro")
        self.net = nn.Sequential(
            nn.Conv2d(1, hidden, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.Conv2d(hidden, 2 * hidden, kernel_size=3, padding=1),
            nn.BatchNorm2d(2 * hidden),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(2 * hidden * 16, 10),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits, (batch, 10), of images, (batch, 1, 8, 8)."""
        logits: Tensor = self.net(images)
        return logits

    def training_step(self, batch: list[Tensor]) -> Tensor:
        """Return the cross-entropy of a batch."""
        images, labels = batch
        loss = F.cross_entropy(self(images), labels)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor]) -> None:
        """Log the cross-entropy and the accuracy."""
        images, labels = batch
        logits = self(images)
        self.accuracy.update(logits, labels)
        self.log("val_loss", F.cross_entropy(logits, labels))
        self.log("val_acc", self.accuracy)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return AdamW; no scheduler, so that autolr can set one."""
        return torch.optim.AdamW(self.parameters(), lr=self.lr, weight_decay=1e-2)


class DigitsData(LightningDataModule):
    """Four fifths of the images to train on, one fifth to validate.

    Args:
        batch_size: Images in a batch.
    """

    def __init__(self, batch_size: int = 32) -> None:
        super().__init__()
        self.batch_size = batch_size

    def setup(self, stage: str) -> None:
        """Load the images, scaled to [0, 1]; the split is always the same."""
        images, labels = load_digits(return_X_y=True)
        data = TensorDataset(
            torch.tensor(images, dtype=torch.float32).view(-1, 1, 8, 8) / 16, torch.tensor(labels)
        )
        self.train, self.val = random_split(
            data, [0.8, 0.2], generator=torch.Generator().manual_seed(0)
        )

    def train_dataloader(self) -> DataLoader[tuple[Tensor, ...]]:
        """Return shuffled training batches."""
        return DataLoader(self.train, self.batch_size, shuffle=True, drop_last=True)

    def val_dataloader(self) -> DataLoader[tuple[Tensor, ...]]:
        """Return the validation images in two batches."""
        return DataLoader(self.val, batch_size=180)

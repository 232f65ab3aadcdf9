"""The module of the configs: a network, partial optimizer and scheduler, and its metrics."""

from typing import Any

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torchmetrics import MaxMetric, MeanMetric
from torchmetrics.classification import MulticlassAccuracy
from typing_extensions import override


class Classifier(LightningModule):
    """Classifies digits.

    Args:
        net: From pixels to a score of each digit.
        optimizer: Makes the optimizer of the parameters.
        scheduler: Makes the scheduler of the optimizer.
    """

    def __init__(self, net: nn.Module, optimizer: Any, scheduler: Any) -> None:
        super().__init__()
        self.save_hyperparameters(logger=False, ignore=["net"])
        self.net = net
        self.train_loss, self.val_loss = MeanMetric(), MeanMetric()
        self.val_acc, self.val_acc_best = MulticlassAccuracy(num_classes=10), MaxMetric()

    @override
    def on_train_start(self) -> None:
        for metric in (self.val_loss, self.val_acc, self.val_acc_best):
            metric.reset()  # of the sanity check

    @override
    def training_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        scores, labels = self.net(batch[0]), batch[1]
        loss = nn.functional.cross_entropy(scores, labels)
        self.train_loss(loss)
        self.log("train/loss", self.train_loss, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    @override
    def validation_step(self, batch: tuple[Tensor, Tensor]) -> None:
        scores, labels = self.net(batch[0]), batch[1]
        self.val_loss(nn.functional.cross_entropy(scores, labels))
        self.val_acc(scores, labels)
        self.log("val/loss", self.val_loss, prog_bar=True)
        self.log("val/acc", self.val_acc, prog_bar=True)

    @override
    def on_validation_epoch_end(self) -> None:
        self.val_acc_best(self.val_acc.compute())
        self.log("val/acc_best", self.val_acc_best.compute(), sync_dist=True, prog_bar=True)

    @override
    def configure_optimizers(self) -> Any:
        optimizer: torch.optim.Optimizer = self.hparams["optimizer"](params=self.parameters())
        scheduler = self.hparams["scheduler"](optimizer=optimizer)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "monitor": "val/loss", "interval": "epoch"},
        }

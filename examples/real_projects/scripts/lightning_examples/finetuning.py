"""Fine-tuning as in Lightning's examples: a backbone that `BackboneFinetuning` thaws later."""

from typing import Any

import timm
import torch
import torch.nn.functional as F
from lightning.pytorch import LightningModule, Trainer, seed_everything
from lightning.pytorch.callbacks import BackboneFinetuning
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from examples.real_projects.fitted import TRAINER, Fitted, fitted

METRIC, SEARCH, SCHEDULED = "val_loss", {"monitor": "val_loss"}, False
RATE = 1e-3  # of Lightning's example
STEPS = 300
_DIGITS = 10
_PRETRAINING, _THAW_AT_EPOCH = 60, 3  # steps; 25 steps an epoch


class FineTuned(LightningModule):
    """A new head on a backbone; the optimizer is given what is trained at first."""

    def __init__(self, backbone: Any, rate: float) -> None:
        super().__init__()
        self.backbone, self.rate = backbone, rate
        self.head = nn.Sequential(
            nn.Linear(backbone.num_features, 32), nn.ReLU(), nn.Linear(32, _DIGITS)
        )

    def training_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        """Return the loss of a batch."""
        loss = self._loss(batch)
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor]) -> None:
        """Log the loss of a batch."""
        self.log("val_loss", self._loss(batch), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return Adam on what requires gradients."""
        return torch.optim.Adam([p for p in self.parameters() if p.requires_grad], lr=self.rate)

    def _loss(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        images, labels = batch
        return F.cross_entropy(self.head(self.backbone(images)), labels)


def pretrained(images: Tensor) -> Any:
    """Return timm's smallest ResNet, which tells by how much a picture is turned.

    Args:
        images: What it learns that on.
    """
    backbone = timm.create_model("test_resnet", in_chans=1, num_classes=0)
    turned = nn.Sequential(backbone, nn.Linear(backbone.num_features, 4))
    optimizer = torch.optim.Adam(turned.parameters(), lr=1e-3)
    for _ in range(_PRETRAINING):
        quarters = torch.randint(4, (32,))
        chosen = images[torch.randint(len(images), (32,))]
        views = [torch.rot90(v, int(q), (1, 2)) for v, q in zip(chosen, quarters, strict=True)]
        optimizer.zero_grad()
        torch.autograd.backward(F.cross_entropy(turned(torch.stack(views)), quarters))
        optimizer.step()
    return backbone


def fit(callbacks: list[Any], max_steps: int, seed: int, rate: float = RATE) -> Fitted:
    """Pretrain a backbone without labels, then fine-tune it on 800 digits."""
    seed_everything(seed)
    pixels, labels = (torch.tensor(values) for values in load_digits(return_X_y=True))
    images = (pixels.float() / 8 - 1).view(-1, 1, 8, 8)
    images = F.interpolate(images, size=16)
    module = FineTuned(pretrained(images[:800]), rate)
    thaw = BackboneFinetuning(
        unfreeze_backbone_at_epoch=_THAW_AT_EPOCH, lambda_func=lambda _: 1.5,
        backbone_initial_ratio_lr=0.1, should_align=True,
    )  # fmt: skip
    trainer = Trainer(max_steps=max_steps, callbacks=[thaw, *callbacks], **TRAINER)
    training = TensorDataset(images[:800], labels[:800])
    validation = TensorDataset(images[800:], labels[800:])
    trainer.fit(module, DataLoader(training, 32, shuffle=True), DataLoader(validation, 128))
    return fitted(module, trainer.callback_metrics[METRIC])

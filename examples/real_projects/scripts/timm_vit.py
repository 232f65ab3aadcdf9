"""A vision transformer of timm, with timm's optimizer, schedule and mixed pictures."""

from typing import Any

import timm
import torch
from lightning.pytorch import LightningModule, Trainer, seed_everything
from sklearn.datasets import load_digits
from timm.data import Mixup
from timm.loss import SoftTargetCrossEntropy
from timm.optim import create_optimizer_v2
from timm.scheduler import create_scheduler_v2
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset
from typing_extensions import override

from examples.real_projects.fitted import TRAINER, Fitted, fitted

METRIC, SEARCH, SCHEDULED = "val_loss", {"monitor": "val_loss"}, True
RATE = 5e-4  # of timm's recipe for DeiT
STEPS = 500
_DIGITS, _STEPS_AN_EPOCH = 10, 50


class Classifier(LightningModule):
    """As timm's training script: parts of batches are mixed, the schedule has a warm-up."""

    def __init__(self, rate: float, epochs: int) -> None:
        super().__init__()
        self.rate, self.epochs = rate, epochs
        self.model = timm.create_model(
            "vit_tiny_patch16_224", img_size=16, patch_size=4, in_chans=1, embed_dim=48, depth=3,
            num_heads=3, num_classes=_DIGITS, drop_path_rate=0.1,
        )  # fmt: skip
        self.mixup = Mixup(mixup_alpha=0.2, label_smoothing=0.1, num_classes=_DIGITS)
        self.mixed_loss, self.loss = SoftTargetCrossEntropy(), nn.CrossEntropyLoss()

    def training_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        """Return the loss of a batch that is mixed with itself."""
        images, targets = self.mixup(batch[0].clone(), batch[1])
        loss: Tensor = self.mixed_loss(self.model(images), targets)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor]) -> None:
        """Log the loss of a batch as it is."""
        self.log("val_loss", self.loss(self.model(batch[0]), batch[1]), prog_bar=True)

    def configure_optimizers(self) -> Any:
        """Return timm's AdamW, and its cosine, by epoch."""
        optimizer = create_optimizer_v2(
            self.model, opt="adamw", lr=self.rate, weight_decay=0.05, layer_decay=0.8
        )
        scheduler, _ = create_scheduler_v2(
            optimizer, sched="cosine", num_epochs=self.epochs, warmup_epochs=1,
            warmup_lr=self.rate / 10, min_lr=self.rate / 100,
        )  # fmt: skip
        return [optimizer], [{"scheduler": scheduler, "interval": "epoch"}]

    @override
    def lr_scheduler_step(self, scheduler: Any, metric: Any) -> None:
        scheduler.step(epoch=self.current_epoch + 1)


def fit(callbacks: list[Any], max_steps: int, seed: int, rate: float = RATE) -> Fitted:
    """Train on handwritten digits."""
    seed_everything(seed)
    pixels, labels = (torch.tensor(values) for values in load_digits(return_X_y=True))
    images = nn.functional.interpolate((pixels.float() / 8 - 1).view(-1, 1, 8, 8), size=16)
    training = TensorDataset(images[:1400], labels[:1400])
    validation = TensorDataset(images[1400:], labels[1400:])
    epochs = -(-max_steps // _STEPS_AN_EPOCH)
    module = Classifier(rate, epochs)
    trainer = Trainer(max_epochs=epochs, max_steps=max_steps, callbacks=callbacks, **TRAINER)
    batches = DataLoader(training, 28, shuffle=True, drop_last=True)
    trainer.fit(module, batches, DataLoader(validation, 128))
    return fitted(module, trainer.callback_metrics[METRIC])

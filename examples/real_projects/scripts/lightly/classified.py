"""What lightly's methods share here: a classifier that reads the features, as in its benchmarks."""

from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl
import torch
from lightly.transforms.utils import IMAGENET_NORMALIZE
from lightly.utils.benchmarking import OnlineLinearClassifier
from torch import Tensor, nn
from torchvision.transforms import Compose, Normalize, ToTensor

from examples.real_projects.fitted import TRAINER, Fitted, fitted
from examples.real_projects.scripts.lightly.views import WIDTH, loader

METRIC = "val_online_cls_top1"


class Classified(pl.LightningModule):
    """Validates by a classifier that is trained beside the backbone.

    Attributes:
        backbone: From pictures to features; a method's own.
        online_classifier: Reads the features; its gradients do not reach the backbone.
    """

    backbone: nn.Module
    online_classifier: Any

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def add_classifier(self) -> None:
        """Add the classifier, as the last of the module's parts."""
        self.online_classifier = OnlineLinearClassifier(WIDTH, num_classes=10)

    def with_classifier(self, loss: Tensor, read: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """Log both losses, and return their sum.

        Args:
            loss: Of the method.
            read: Features and their labels.
            batch_idx: The index of the batch.
        """
        known, logged = self.online_classifier.training_step(read, batch_idx)
        self.log_dict({"train_loss": loss, **logged}, batch_size=len(read[1]))
        both: Tensor = loss + known
        return both

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        """Log how well the classifier reads the features."""
        features = self.backbone(batch[0])
        _, logged = self.online_classifier.validation_step((features, batch[1]), batch_idx)
        self.log_dict(logged, batch_size=len(batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return plain SGD."""
        return torch.optim.SGD(self.parameters(), lr=self.rate)


def train(
    module: Classified, transform: Callable[[Any], Any], callbacks: list[Any], max_steps: int
) -> Fitted:
    """Train on views of each digit; the seed is set by now."""
    plain = Compose([ToTensor(), Normalize(**IMAGENET_NORMALIZE)])
    trainer = pl.Trainer(max_steps=max_steps, callbacks=callbacks, **TRAINER)
    trainer.fit(module, loader(transform, train=True), loader(plain, train=False))
    return fitted(module, trainer.callback_metrics[METRIC])

"""BYOL of lightly: a teacher that training changes, and a classifier that is trained beside it."""

import copy
from typing import Any

import pytorch_lightning as pl
import torch
from lightly.loss import NegativeCosineSimilarity
from lightly.models.modules import BYOLPredictionHead, BYOLProjectionHead
from lightly.models.utils import deactivate_requires_grad, update_momentum
from lightly.transforms.byol_transform import (
    BYOLTransform,
    BYOLView1Transform,
    BYOLView2Transform,
)
from lightly.transforms.utils import IMAGENET_NORMALIZE
from lightly.utils.benchmarking import OnlineLinearClassifier
from lightly.utils.scheduler import cosine_schedule
from torchvision.transforms import Compose, Normalize, ToTensor

from examples.real_projects.fitted import TRAINER, Fitted, fitted
from examples.real_projects.scripts.lightly.views import WIDTH, backbone, loader

METRIC = "val_online_cls_top1"
SEARCH, SCHEDULED = {"monitor": METRIC, "mode": "max"}, False
RATE = 0.06  # of lightly's example
STEPS = 240


class BYOL(pl.LightningModule):
    """As lightly's example and benchmark have it."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate
        self.backbone = backbone()
        self.projection_head = BYOLProjectionHead(WIDTH, 128, 32)
        self.prediction_head = BYOLPredictionHead(32, 128, 32)
        self.backbone_momentum = copy.deepcopy(self.backbone)
        self.projection_head_momentum = copy.deepcopy(self.projection_head)
        deactivate_requires_grad(self.backbone_momentum)
        deactivate_requires_grad(self.projection_head_momentum)
        self.criterion = NegativeCosineSimilarity()
        self.online_classifier = OnlineLinearClassifier(WIDTH, num_classes=10)

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        """Move the teacher, then compare the views with its own."""
        momentum = cosine_schedule(self.current_epoch, 10, 0.996, 1)
        update_momentum(self.backbone, self.backbone_momentum, m=momentum)
        update_momentum(self.projection_head, self.projection_head_momentum, m=momentum)
        views, labels = batch
        features = [self.backbone(view) for view in views]
        online = [self.prediction_head(self.projection_head(f)) for f in features]
        with torch.no_grad():
            targets = [self.projection_head_momentum(self.backbone_momentum(v)) for v in views]
        loss = 0.5 * (self.criterion(online[0], targets[1]) + self.criterion(online[1], targets[0]))
        known, logged = self.online_classifier.training_step((features[0], labels), batch_idx)
        self.log_dict({"train_loss": loss, **logged}, batch_size=len(labels))
        both: torch.Tensor = loss + known
        return both

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        """Log how well the classifier reads the features."""
        features = self.backbone(batch[0])
        _, logged = self.online_classifier.validation_step((features, batch[1]), batch_idx)
        self.log_dict(logged, batch_size=len(batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return plain SGD."""
        return torch.optim.SGD(self.parameters(), lr=self.rate)


def fit(callbacks: list[Any], max_steps: int, seed: int, rate: float = RATE) -> Fitted:
    """Train on two views of each digit."""
    pl.seed_everything(seed)
    settings = {"input_size": 16, "gaussian_blur": 0.0, "hf_prob": 0.0, "min_scale": 0.5}
    transform = BYOLTransform(BYOLView1Transform(**settings), BYOLView2Transform(**settings))
    plain = Compose([ToTensor(), Normalize(**IMAGENET_NORMALIZE)])
    module, trainer = BYOL(rate), pl.Trainer(max_steps=max_steps, callbacks=callbacks, **TRAINER)
    trainer.fit(module, loader(transform, train=True), loader(plain, train=False))
    return fitted(module, trainer.callback_metrics[METRIC])

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
from lightly.utils.scheduler import cosine_schedule

from examples.real_projects.fitted import Fitted
from examples.real_projects.scripts.lightly import classified
from examples.real_projects.scripts.lightly.views import WIDTH, backbone

METRIC = classified.METRIC
SEARCH, SCHEDULED = {"monitor": METRIC, "mode": "max"}, False
RATE = 0.06  # of lightly's example
STEPS = 240


class BYOL(classified.Classified):
    """As lightly's example and benchmark have it."""

    def __init__(self, rate: float) -> None:
        super().__init__(rate)
        self.backbone = backbone()
        self.projection_head = BYOLProjectionHead(WIDTH, 128, 32)
        self.prediction_head = BYOLPredictionHead(32, 128, 32)
        self.backbone_momentum = copy.deepcopy(self.backbone)
        self.projection_head_momentum = copy.deepcopy(self.projection_head)
        deactivate_requires_grad(self.backbone_momentum)
        deactivate_requires_grad(self.projection_head_momentum)
        self.criterion = NegativeCosineSimilarity()
        self.add_classifier()

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
        return self.with_classifier(loss, (features[0], labels), batch_idx)


def fit(callbacks: list[Any], max_steps: int, seed: int, rate: float = RATE) -> Fitted:
    """Train on two views of each digit."""
    pl.seed_everything(seed)
    settings = {"input_size": 16, "gaussian_blur": 0.0, "hf_prob": 0.0, "min_scale": 0.5}
    transform = BYOLTransform(BYOLView1Transform(**settings), BYOLView2Transform(**settings))
    return classified.train(BYOL(rate), transform, callbacks, max_steps)

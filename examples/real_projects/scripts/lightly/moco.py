"""MoCo of lightly: a second encoder that follows the first, and a bank of what it has seen."""

import copy
from typing import Any

import pytorch_lightning as pl
import torch
from lightly.loss import NTXentLoss
from lightly.models.modules import MoCoProjectionHead
from lightly.models.utils import deactivate_requires_grad, update_momentum
from lightly.transforms.moco_transform import MoCoV2Transform
from lightly.utils.scheduler import cosine_schedule

from examples.real_projects.fitted import Fitted
from examples.real_projects.scripts.lightly import classified
from examples.real_projects.scripts.lightly.views import WIDTH, backbone

METRIC = classified.METRIC
SEARCH, SCHEDULED = {"monitor": METRIC, "mode": "max"}, False
RATE = 0.06  # of lightly's example
STEPS = 160


class MoCo(classified.Classified):
    """As lightly's example and benchmark have it, with a bank of 256 projections."""

    def __init__(self, rate: float) -> None:
        super().__init__(rate)
        self.backbone = backbone()
        self.projection_head = MoCoProjectionHead(WIDTH, 128, 32)
        self.backbone_momentum = copy.deepcopy(self.backbone)
        self.projection_head_momentum = copy.deepcopy(self.projection_head)
        deactivate_requires_grad(self.backbone_momentum)
        deactivate_requires_grad(self.projection_head_momentum)
        self.criterion = NTXentLoss(memory_bank_size=(256, 32))
        self.add_classifier()

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        """Move the second encoder, then tell its projection of a view from those in the bank."""
        momentum = cosine_schedule(self.current_epoch, 10, 0.996, 1)
        update_momentum(self.backbone, self.backbone_momentum, m=momentum)
        update_momentum(self.projection_head, self.projection_head_momentum, m=momentum)
        (query, key), labels = batch
        features = self.backbone(query)
        with torch.no_grad():
            keys = self.projection_head_momentum(self.backbone_momentum(key))
        loss = self.criterion(self.projection_head(features), keys)
        return self.with_classifier(loss, (features, labels), batch_idx)


def fit(callbacks: list[Any], max_steps: int, seed: int, rate: float = RATE) -> Fitted:
    """Train on two views of each digit."""
    pl.seed_everything(seed)
    transform = MoCoV2Transform(input_size=16, gaussian_blur=0.0, hf_prob=0.0, min_scale=0.5)
    return classified.train(MoCo(rate), transform, callbacks, max_steps)

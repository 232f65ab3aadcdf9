"""SimCLR of lightly: each view has to find its twin among all others of the batch."""

from typing import Any

import pytorch_lightning as pl
import torch
from lightly.loss import NTXentLoss
from lightly.models.modules import SimCLRProjectionHead
from lightly.transforms.simclr_transform import SimCLRTransform

from examples.real_projects.fitted import Fitted
from examples.real_projects.scripts.lightly import classified
from examples.real_projects.scripts.lightly.views import WIDTH, backbone

METRIC = classified.METRIC
SEARCH, SCHEDULED = {"monitor": METRIC, "mode": "max"}, False
RATE = 0.06  # of lightly's example
STEPS = 160


class SimCLR(classified.Classified):
    """As lightly's example and benchmark have it."""

    def __init__(self, rate: float) -> None:
        super().__init__(rate)
        self.backbone = backbone()
        self.projection_head = SimCLRProjectionHead(WIDTH, 128, 32)
        self.criterion = NTXentLoss()
        self.add_classifier()

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        """Compare the projections of the two views."""
        views, labels = batch
        features = [self.backbone(view) for view in views]
        loss = self.criterion(*(self.projection_head(f) for f in features))
        return self.with_classifier(loss, (features[0], labels), batch_idx)


def fit(callbacks: list[Any], max_steps: int, seed: int, rate: float = RATE) -> Fitted:
    """Train on two views of each digit."""
    pl.seed_everything(seed)
    transform = SimCLRTransform(input_size=16, gaussian_blur=0.0, hf_prob=0.0, min_scale=0.5)
    return classified.train(SimCLR(rate), transform, callbacks, max_steps)

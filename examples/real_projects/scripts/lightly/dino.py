"""DINO of lightly, as its example has it: a teacher, a centre, and no validation."""

import copy
from typing import Any

import pytorch_lightning as pl
import torch
from lightly.loss import DINOLoss
from lightly.models.modules import DINOProjectionHead
from lightly.models.utils import deactivate_requires_grad, update_momentum
from lightly.transforms.dino_transform import DINOTransform
from lightly.utils.scheduler import cosine_schedule

from examples.real_projects.fitted import TRAINER, Fitted, fitted
from examples.real_projects.scripts.lightly.views import WIDTH, backbone, loader

METRIC, SCHEDULED = "train_loss_epoch", False
SEARCH: dict[str, str] = {}
RATE = 1e-3  # of lightly's example
STEPS = 240


class DINO(pl.LightningModule):
    """A student learns what the teacher says of other views of the same picture."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate
        self.student_backbone = backbone()
        self.student_head = DINOProjectionHead(WIDTH, 128, 32, 256, freeze_last_layer=1)
        self.teacher_backbone = copy.deepcopy(self.student_backbone)
        self.teacher_head = DINOProjectionHead(WIDTH, 128, 32, 256)
        deactivate_requires_grad(self.teacher_backbone)
        deactivate_requires_grad(self.teacher_head)
        self.criterion = DINOLoss(output_dim=256, warmup_teacher_temp_epochs=5)

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        """Move the teacher, then compare the views."""
        momentum = cosine_schedule(self.current_epoch, 10, 0.996, 1)
        update_momentum(self.student_backbone, self.teacher_backbone, m=momentum)
        update_momentum(self.student_head, self.teacher_head, m=momentum)
        views = batch[0]
        with torch.no_grad():
            said = [self.teacher_head(self.teacher_backbone(view)) for view in views[:2]]
        learned = [self.student_head(self.student_backbone(view)) for view in views]
        loss: torch.Tensor = self.criterion(said, learned, epoch=self.current_epoch)
        self.log("train_loss", loss, on_epoch=True, batch_size=len(views[0]))
        return loss

    def on_after_backward(self) -> None:
        """Keep the last layer of the head in the first epoch."""
        self.student_head.cancel_last_layer_gradients(current_epoch=self.current_epoch)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return Adam."""
        return torch.optim.Adam(self.parameters(), lr=self.rate)


def fit(callbacks: list[Any], max_steps: int, seed: int, rate: float = RATE) -> Fitted:
    """Train on two large and two small views of each digit."""
    pl.seed_everything(seed)
    transform = DINOTransform(
        global_crop_size=16, local_crop_size=8, n_local_views=2, gaussian_blur=(0.0, 0.0, 0.0),
        global_crop_scale=(0.5, 1.0), local_crop_scale=(0.3, 0.5), hf_prob=0.0,
    )  # fmt: skip
    module, trainer = DINO(rate), pl.Trainer(max_steps=max_steps, callbacks=callbacks, **TRAINER)
    trainer.fit(module, loader(transform, train=True))
    return fitted(module, trainer.callback_metrics[METRIC])

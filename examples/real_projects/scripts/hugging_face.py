"""A Hugging Face model in a LightningModule, as people write it; bytes of text as data."""

import sysconfig
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from transformers import get_linear_schedule_with_warmup

from examples.real_projects.fitted import TRAINER, Fitted, fitted


class HuggingFace(LightningModule):
    """Trains whatever returns a loss for its batch, by AdamW with the library's linear schedule."""

    def __init__(self, model: torch.nn.Module, rate: float, *, warmup: float | None) -> None:
        super().__init__()
        self.model, self.rate, self.warmup = model, rate, warmup

    def forward(self, **batch: Tensor) -> Any:
        """Return the model's output, which has its loss."""
        return self.model(**batch)

    def training_step(self, batch: Mapping[str, Tensor]) -> Tensor:
        """Return the loss of a batch."""
        loss: Tensor = self(**batch).loss
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: Mapping[str, Tensor]) -> None:
        """Log the loss of a batch."""
        self.log("val_loss", self(**batch).loss, prog_bar=True)

    def configure_optimizers(self) -> Any:
        """Return AdamW, without weight decay of biases and norms, and its schedule."""
        decayed = [p for p in self.model.parameters() if p.requires_grad and p.ndim > 1]
        others = [p for p in self.model.parameters() if p.requires_grad and p.ndim <= 1]
        groups = [
            {"params": decayed, "weight_decay": 0.01},
            {"params": others, "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW([g for g in groups if g["params"]], lr=self.rate)
        if self.warmup is None:
            return optimizer
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = get_linear_schedule_with_warmup(optimizer, int(self.warmup * steps), steps)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def library_files(packages: Iterable[str]) -> list[bytes]:
    """Return the source of packages of the standard library, one text for each."""
    library = Path(sysconfig.get_path("stdlib"))
    return [b"".join(f.read_bytes() for f in sorted((library / p).glob("*.py"))) for p in packages]


def train(
    module: HuggingFace, data: tuple[list[Any], list[Any]], callbacks: list[Any], steps: int
) -> Fitted:
    """Train and validate on two sets; the seed is set by now."""
    trainer = Trainer(
        max_steps=steps, val_check_interval=50, check_val_every_n_epoch=None,
        callbacks=callbacks, **TRAINER,
    )  # fmt: skip
    training, validation = (cast("Dataset[Any]", part) for part in data)
    trainer.fit(module, DataLoader(training, 16, shuffle=True), DataLoader(validation, 64))
    return fitted(module, trainer.callback_metrics["val_loss"])

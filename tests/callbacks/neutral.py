"""Runs of many kinds, each with and without a search."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader
from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassPrecision, MulticlassRecall

from tests.callbacks.runs import (
    LR,
    TRAIN,
    VAL,
    Net,
    Stream,
    train_loader,
    val_loader,
)


class Momentum(Net):
    """SGD with momentum."""

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=LR, momentum=0.9, nesterov=True)


class Groups(Net):
    """Two groups at different rates."""

    def configure_optimizers(self):
        groups = [
            {"params": self.body.parameters(), "lr": LR / 3, "weight_decay": 0.0},
            {"params": self.head.parameters()},
        ]
        return torch.optim.AdamW(groups, lr=LR)


class Outputs(Net):
    """Gathers outputs in lists, the idiom of Lightning's migration guide."""

    def __init__(self):
        super().__init__()
        self.training_step_outputs = []
        self.validation_step_outputs = []

    def training_step(self, batch, batch_idx):
        loss = super().training_step(batch, batch_idx)
        self.training_step_outputs.append(loss)
        return {"loss": loss, "size": len(batch[0])}

    def on_train_epoch_end(self):
        self.log("train_mean", torch.stack(self.training_step_outputs).mean())
        self.log("train_count", float(len(self.training_step_outputs)))
        self.training_step_outputs.clear()

    def validation_step(self, batch, batch_idx):
        self.validation_step_outputs.append(F.cross_entropy(self(batch[0]), batch[1]))

    def on_validation_epoch_end(self):
        self.log("val_loss", torch.stack(self.validation_step_outputs).mean())
        self.validation_step_outputs.clear()


class Counting(Net):
    """Counts its calls, and lets the counters act on the loss."""

    def __init__(self):
        super().__init__()
        self.calls = 0
        self.hidden = (torch.zeros(4), [0])
        self.loss_ends = 0

    def training_step(self, batch, batch_idx):
        self.calls += 1
        self.hidden[1][0] += 1
        self.hidden = (0.9 * self.hidden[0] + self(batch[0]).mean(0).detach(), self.hidden[1])
        self.log("calls", float(self.calls))
        weight = 1 + 0.01 * self.calls + self.hidden[0].sum().sin()
        return weight * super().training_step(batch, batch_idx)

    def on_train_batch_end(self, outputs, batch, batch_idx):
        self.loss_ends += 1
        self.log("ends", float(self.loss_ends))


class Talking(Net):
    """Logs its state in hooks, and to the logger itself."""

    def tell(self, name):
        weight = float(self.head[1].weight.sum())
        self.logger.log_metrics({name: weight}, step=self.global_step)
        return weight

    def training_step(self, batch, batch_idx):
        self.tell("direct")
        return super().training_step(batch, batch_idx)

    def on_train_batch_end(self, outputs, batch, batch_idx):
        self.log("end", self.tell("direct_end"), on_step=True, on_epoch=True)

    def validation_step(self, batch, batch_idx):
        self.tell("direct_val")
        super().validation_step(batch, batch_idx)


class Noisy(Net):
    """Draws from a generator of its own, and from all global ones, in every hook."""

    def __init__(self):
        super().__init__()
        self.own = torch.Generator().manual_seed(5)

    def on_train_batch_start(self, batch, batch_idx):
        torch.rand(1)

    def training_step(self, batch, batch_idx):
        loss = super().training_step(batch, batch_idx)
        size = float(loss.detach().nan_to_num().clamp(max=1e3))
        torch.rand(1 + int(1e4 * size) % 5)  # another state draws another number of them
        return loss * (1 + 0.1 * torch.rand(1, generator=self.own).item())

    def on_train_batch_end(self, outputs, batch, batch_idx):
        self.log("drawn", torch.rand(1))

    def on_validation_epoch_start(self):
        torch.rand(3)


class Popping(Net):
    """Takes its batches apart and changes them in place."""

    def training_step(self, batch, batch_idx):
        labels = batch.pop()
        return super().training_step([batch[0].mul_(0.5), labels], batch_idx)

    def validation_step(self, batch, batch_idx):
        labels = batch.pop()
        super().validation_step([batch[0].mul_(0.5), labels], batch_idx)


class Collection(Net):
    """Metrics that share their sums, in training and in validation."""

    def __init__(self):
        super().__init__()
        metrics = MetricCollection([MulticlassPrecision(4), MulticlassRecall(4)])
        self.train_all = metrics.clone("train_")
        self.val_all = metrics.clone("val_")

    def training_step(self, batch, batch_idx):
        self.train_all.update(self(batch[0]), batch[1])
        self.log_dict(self.train_all, on_step=False, on_epoch=True)
        return super().training_step(batch, batch_idx)

    def validation_step(self, batch, batch_idx):
        self.val_all.update(self(batch[0]), batch[1])
        self.log_dict(self.val_all)
        super().validation_step(batch, batch_idx)


class Recurrent(Net):
    """A recurrent layer that keeps its weights in a plain list too."""

    def __init__(self):
        super().__init__()

        class Own(nn.GRU):
            pass

        self.body = Own(6, 16, batch_first=True)
        self.head = nn.Linear(16, 4)

    def forward(self, images):
        return self.head(self.body(images[:, 0])[0][:, -1])


class Buffered(Net):
    """Keeps a running mean in a buffer, which validation uses."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(()), persistent=False)

    def forward(self, images):
        if self.training:
            self.mean = 0.9 * self.mean + 0.1 * images.mean()
        return super().forward(images - self.mean)


class Two(Net):
    """Validates on two loaders."""

    def validation_step(self, batch, batch_idx, dataloader_idx):
        self.log("val_loss", F.cross_entropy(self(batch[0]), batch[1]))


def own_generators():
    return {
        "train": train_loader(generator=torch.Generator().manual_seed(8)),
        "val": DataLoader(VAL, 16, shuffle=True, generator=torch.Generator().manual_seed(9)),
    }


def one_generator():
    shared = torch.Generator().manual_seed(8)
    return {
        "train": train_loader(generator=shared),
        "val": DataLoader(VAL, 16, shuffle=True, generator=shared, num_workers=1),
    }


NO_SANITY = {"num_sanity_val_steps": 0}


SETUPS = {
    "two workers": (Net, lambda: {"train": train_loader(num_workers=2)}),
    "accumulated gradients, a partial last window": (
        Net,
        lambda: {"accumulate_grad_batches": 3, "max_epochs": 8},
    ),
    "clipping by norm": (Net, lambda: {"gradient_clip_val": 0.3}),
    "clipping by value": (
        Momentum,
        lambda: {"gradient_clip_val": 0.01, "gradient_clip_algorithm": "value"},
    ),
    "several groups": (Groups, dict),
    "momentum": (Momentum, dict),
    "lists of outputs": (Outputs, dict),
    "counters": (Counting, dict),
    "logging in hooks": (Talking, dict),
    "own random numbers": (Noisy, dict),
    "batches changed in place": (Popping, dict),
    "metrics that share sums": (Collection, dict),
    "a recurrent layer": (Recurrent, dict),
    "a buffer": (Buffered, dict),
    "no validation": (Net, lambda: {"val": None}),
    "persistent workers, no sanity check": (
        Net,
        lambda: {"val": val_loader(num_workers=1, persistent_workers=True), **NO_SANITY},
    ),
    "shuffled validation": (Net, lambda: {"val": DataLoader(VAL, 16, shuffle=True)}),
    "loaders with generators": (Net, own_generators),
    "loaders with one generator": (Net, one_generator),
    "validation within the epoch": (Net, lambda: {"val_check_interval": 3}),
    "validation at every second epoch": (
        Net,
        lambda: {"check_val_every_n_epoch": 2, **NO_SANITY},
    ),
    "part of the validation data": (Net, lambda: {"limit_val_batches": 2}),
    "two validation loaders": (
        Two,
        lambda: {"val": [val_loader(), val_loader(batch_size=7)], "best": None, "two": True},
    ),
    "max_steps": (Net, lambda: {"max_epochs": -1, "max_steps": 24}),
    "an iterable dataset": (
        Net,
        lambda: {"train": DataLoader(Stream(TRAIN), 16), "max_epochs": -1, "max_steps": 24},
    ),
    "bfloat16": (Net, lambda: {"precision": "bf16-mixed"}),
    "float64": (Net, lambda: {"precision": "64-true"}),
}

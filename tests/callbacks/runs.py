"""Small Lightning runs, and all that is left of one, to be compared bit for bit."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import copy
import csv
import random
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, IterableDataset, TensorDataset
from torchmetrics.classification import MulticlassAccuracy

from autolr.online import Annealed, Thresholds
from tests.callbacks.namespace import CSVLogger, ModelCheckpoint, pl

LR = 2.0**-7  # a power of two: factors of it are exact
DECIDES = Thresholds(chance=0.0, brief=0)  # so that races of a few steps do
RACE = Annealed(candidates=3, checks=(), thresholds=DECIDES, budget=3.0)  # to step 14 of 28


class Net(pl.LightningModule):
    """A CNN with batch norm and dropout; AdamW; metrics in training and validation."""

    def __init__(self, lr=LR):
        super().__init__()
        self.save_hyperparameters()
        self.train_acc = MulticlassAccuracy(4)
        self.val_acc = MulticlassAccuracy(4)
        self.body = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten())
        self.head = nn.Sequential(nn.Dropout(0.3), nn.Linear(64, 4))

    def forward(self, images):
        return self.head(self.body(images))

    def training_step(self, batch, batch_idx):
        logits = self(batch[0])
        self.train_acc(logits, batch[1])
        loss = F.cross_entropy(logits, batch[1])
        self.log("train_loss", loss, on_step=True, on_epoch=True)
        self.log("train_acc", self.train_acc, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch, batch_idx):
        logits = self(batch[0])
        self.val_acc(logits, batch[1])
        self.log("val_loss", F.cross_entropy(logits, batch[1]))
        self.log("val_acc", self.val_acc)

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=self.hparams.lr)


class Bare(Net):
    """As `Net`, without anything that draws or is summed up: to be cut and resumed."""

    def __init__(self, lr=LR):
        super().__init__(lr)
        self.head[0] = nn.Identity()

    def training_step(self, batch, batch_idx):
        return F.cross_entropy(self(batch[0]), batch[1])


class Stream(IterableDataset[list[torch.Tensor]]):
    """The training images one by one, without an end known beforehand."""

    def __init__(self, data):
        self.data = data

    def __iter__(self):
        return iter([self.data[i] for i in range(len(self.data))])


def images(count, seed):
    """Return images with a mark in one quarter, and the number of that quarter."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(4, (count,), generator=generator)
    pixels = torch.randn(count, 1, 6, 6, generator=generator)
    for image, label in zip(pixels, labels, strict=True):
        row, column = 3 * (int(label) // 2), 3 * (int(label) % 2)
        image[0, row : row + 3, column : column + 3] += 0.7
    return TensorDataset(pixels, labels)


TRAIN, VAL = images(100, seed=1), images(40, seed=2)


def train_loader(**settings):
    """Return 7 shuffled batches, the last of 4 images."""
    return DataLoader(TRAIN, **{"batch_size": 16, "shuffle": True, **settings})


def val_loader(**settings):
    """Return 3 batches, the last of 8 images."""
    return DataLoader(VAL, **{"batch_size": 16, **settings})


class Seen(pl.Callback):
    """Remembers the order of the data."""

    def __init__(self):
        self.order = []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.order.append(("train", trainer.current_epoch, batch_idx, copy.deepcopy(batch)))

    def on_validation_batch_start(self, trainer, pl_module, batch, batch_idx, dataloader_idx=0):
        self.order.append(("val", dataloader_idx, batch_idx, copy.deepcopy(batch)))


def fit(folder, make=Net, callbacks=(), *, train=None, val="default", ckpt_path=None, **trainer):
    """Train a module from a fixed seed; return the module, the trainer and all that is left."""
    torch.set_num_threads(1)
    pl.seed_everything(3, verbose=False)
    module, seen = make(), Seen()
    val = val_loader() if isinstance(val, str) else val
    best = trainer.pop("best", "val_loss")
    monitor = None if val is None else best
    top = 1 if monitor is None else 2
    kept = ModelCheckpoint(folder / "kept", monitor=monitor, save_last=True, save_top_k=top)
    made = pl.Trainer(
        **{
            "accelerator": "cpu",
            "logger": CSVLogger(folder, name="log", version="0"),
            "callbacks": [*callbacks, seen, kept],
            "enable_progress_bar": False,
            "enable_model_summary": False,
            "log_every_n_steps": 1,
            "max_epochs": 4,
            **trainer,
        }
    )
    made.fit(module, train_loader() if train is None else train, val, ckpt_path=ckpt_path)
    return SimpleNamespace(module=module, trainer=made, left=_left(folder, module, made, seen))


def _left(folder: Path, module, trainer, seen):
    checkpoint = torch.load(folder / "kept" / "last.ckpt", weights_only=True)
    states = checkpoint.pop("callbacks").values()
    (saved,) = (s for s in states if s.get("dirpath") == str(folder / "kept"))
    states = [optimizer.state_dict() for optimizer in trainer.optimizers]
    metrics = folder / "log" / "0" / "metrics.csv"
    return {
        "weights and buffers": module.state_dict(),
        "gradients": [p.grad for p in module.parameters()],
        "optimizer": states[0] if len(states) == 1 else states,
        "order of the optimizer's state": [
            [i for i, p in enumerate(module.parameters()) if p in optimizer.state]
            for optimizer in trainer.optimizers
        ],
        "metrics.csv": logged(metrics) if metrics.exists() else None,
        "callback_metrics": dict(trainer.callback_metrics),
        "generators": (random.getstate(), np.random.get_state(), torch.get_rng_state()),
        "data order": seen.order,
        "global_step": trainer.global_step,
        "checkpoint": checkpoint,
        "best": [Path(saved["best_model_path"]).name, saved["best_model_score"]],
        "modes": [m.training for m in module.modules()],
        "attributes": _attributes(module),
    }


def logged(path):
    """Return the rows of a CSVLogger's file without what a search tells it."""
    with path.open() as file:
        rows = [
            {k: v for k, v in row.items() if not _is_reported(k)} for row in csv.DictReader(file)
        ]
    return [row for row in rows if set(filter(row.get, row)) > {"step"}]


def curve(folder, name):
    """Return {step: value} of what was logged as ``name``."""
    with (folder / "log" / "0" / "metrics.csv").open() as file:
        return {int(row["step"]): float(row[name]) for row in csv.DictReader(file) if row.get(name)}


def _is_reported(name):
    return name.startswith("autolr/")


def _attributes(module):
    """Return numbers, lists, tuples and tensors that a module keeps, and its metrics' sums."""
    return [
        {
            name: value
            for name, value in part.__dict__.items()
            if isinstance(value, int | float | list | tuple | torch.Tensor)
            and name not in ("trainer", "_flat_weight_refs", "_torchdynamo_wrapper_id")
        }
        for part in module.modules()
    ]


def differences(left, right, path=""):
    """Return where two nested values differ, down to the bits of tensors."""
    if isinstance(left, torch.Tensor) and isinstance(right, torch.Tensor):
        return [] if _same_bits(left, right) else [path]
    if isinstance(left, np.ndarray):
        return [] if np.array_equal(left, right) else [path]
    if isinstance(left, dict) and isinstance(right, dict):
        if left.keys() != right.keys():
            return [f"{path} keys {sorted(map(str, left.keys() ^ right.keys()))}"]
        return [d for k in left for d in differences(left[k], right[k], f"{path}/{k}")]
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        if len(left) != len(right):
            return [f"{path} length {len(left)} {len(right)}"]
        pairs = enumerate(zip(left, right, strict=True))
        return [d for i, (a, b) in pairs for d in differences(a, b, f"{path}/{i}")]
    return [] if left == right or left is right or (left != left and right != right) else [path]


def _same_bits(left, right):
    same = left.dtype == right.dtype and left.shape == right.shape
    return same and torch.equal(left.nan_to_num(7.5), right.nan_to_num(7.5))


TRAINED = ("weights and buffers", "optimizer", "global_step", "data order")


def trained(left):
    """Return what a rate decides: not the logged metrics, which saw other states."""
    return {name: left[name] for name in TRAINED}

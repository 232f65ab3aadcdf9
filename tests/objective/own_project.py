"""A project with a LightningCLI of its own, and the config of a study of it."""

from typing import Any

PROJECT = '''\
"""A project that is not complete without its LightningCLI."""

import torch
from lightning.pytorch import Callback, LightningDataModule, LightningModule
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.cli import LightningCLI
from torch.utils.data import DataLoader, TensorDataset

torch.set_num_threads(1)
SEEN, PARSERS = [], []


class OwnPoints(LightningDataModule):
    n_in = 3

    def __init__(self, batch_size: int = 8):
        super().__init__()
        self.batch_size = batch_size
        x = torch.randn(64, 3, generator=torch.Generator().manual_seed(0))
        self.points = TensorDataset(x, x.sum(1, keepdim=True))

    def train_dataloader(self):
        return DataLoader(self.points, self.batch_size, shuffle=True)

    def val_dataloader(self):
        return DataLoader(self.points, 64)


class Plain(LightningModule):
    def __init__(self, n_in: int, width: int = 4):
        super().__init__()
        self.save_hyperparameters()
        self.width = width
        self.net = torch.nn.Sequential(
            torch.nn.Linear(n_in, width), torch.nn.Tanh(), torch.nn.Linear(width, 1)
        )

    def training_step(self, batch):
        return torch.nn.functional.mse_loss(self.net(batch[0]), batch[1])

    def validation_step(self, batch):
        self.log("val_loss", torch.nn.functional.mse_loss(self.net(batch[0]), batch[1]))

    def on_fit_start(self):
        names = [type(callback).__name__ for callback in self.trainer.callbacks]
        SEEN.append({
            "width": self.width,
            "callbacks": names,
            "epochs": self.trainer.max_epochs,
            "words": [c.word for c in self.trainer.callbacks if isinstance(c, Words)],
            "marked": getattr(self, "marked", None),
            "runs": [c.runs for c in self.trainer.callbacks if isinstance(c, Always)],
        })

    def on_fit_end(self):
        SEEN[-1]["val_loss"] = float(self.trainer.callback_metrics.get("val_loss", 9))


class OwnNet(Plain):
    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=0.01)


class Words(Callback):
    def __init__(self, word: str = "none"):
        self.word = word


class Always(Callback):
    runs = 0

    def on_fit_start(self, trainer, module):
        self.runs += 1


class OwnCLI(LightningCLI):
    def add_arguments_to_parser(self, parser):
        PARSERS.append(parser)
        parser.add_argument("--mark", default="unset")
        parser.link_arguments("data.n_in", "model.n_in", apply_on="instantiate")
        parser.add_lightning_class_args(Words, "words")
        parser.set_defaults({"words.word": "linked"})

    def before_instantiate_classes(self):
        self.mark = self.config[self.subcommand].mark

    def before_fit(self):
        self.model.marked = self.mark


class OptimizerCLI(LightningCLI):
    def add_arguments_to_parser(self, parser):
        parser.link_arguments("data.n_in", "model.n_in", apply_on="instantiate")
        parser.add_optimizer_args(torch.optim.AdamW)
        parser.set_defaults({"optimizer.lr": 0.02})


class DifferentCLI(OwnCLI):
    def __init__(self):
        super().__init__(OwnNet, OwnPoints, trainer_defaults=DEFAULTS, seed_everything_default=7)

    def add_arguments_to_parser(self, parser):
        super().add_arguments_to_parser(parser)
        parser.set_defaults({"trainer.callbacks": [{"class_path": "own_project.Always"}]})

    def fit(self, model, **kwargs):
        raise AssertionError("not in a study")

    def after_fit(self):
        raise AssertionError("not in a study")


class ClosedCLI(OwnCLI):
    """Takes nothing, as scripts have it."""

    def __init__(self):
        super().__init__(OwnNet, OwnPoints, trainer_defaults=DEFAULTS)


DEFAULTS = {
    "max_epochs": 2, "accelerator": "cpu", "callbacks": [Always(), ModelCheckpoint(save_last=True)]
}


def main():
    texts = {"fit": {"description": "Fits."}}
    cli = OwnCLI(OwnNet, OwnPoints, trainer_defaults=DEFAULTS, parser_kwargs=texts)
    raise AssertionError("what follows is not run")


def by_hand():
    cli = LightningCLI(OwnNet, OwnPoints, run=False)
    cli.trainer.fit(cli.model, cli.datamodule)
    raise AssertionError("what follows is not run")


def nothing():
    pass
'''
MAPPING: dict[str, Any] = {
    "class_path": "own_project.OwnCLI",
    "init_args": {
        "model_class": "own_project.OwnNet",
        "datamodule_class": "own_project:OwnPoints",
        "trainer_defaults": {"max_epochs": 2, "accelerator": "cpu"},
    },
}
LR = {"low": 0.001, "high": 0.1, "log": True}


def config(cli: object, **changes: Any) -> dict[str, Any]:
    """Return a config whose model section is short, as that of a fixed class is."""
    space = {"lr": LR, "model.width": [3, 5]}
    section = {"space": space, "trials": 1, "pruner": "none", "online": False}
    return {
        "cli": cli,
        "seed_everything": 1,
        "model": {"width": 4},
        "mark": "given",
        **changes,
        "tune": {**section, **changes.get("tune", {})},
    }

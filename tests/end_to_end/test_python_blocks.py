"""Every Python block of the README and the documents runs as it stands, only shorter."""
# mypy: allow-untyped-calls

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader, TensorDataset

import autolr
from autolr import callbacks, schedules
from autolr.online import Annealed
from tests.end_to_end.blocks import BLOCKS, NOTEBOOK, Block, inline, named


class Line(LightningModule):
    """A straight line through 64 points."""

    def __init__(self) -> None:
        super().__init__()
        self.net = torch.nn.Linear(3, 1)

    def forward(self, x: Any) -> Any:
        return self.net(x)

    def training_step(self, batch: Any) -> Any:
        return torch.nn.functional.mse_loss(self.net(batch[0]), batch[1])

    def validation_step(self, batch: Any) -> None:
        self.log("val_loss", self.training_step(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters())


class Points(LightningDataModule):
    """Those points."""

    def __init__(self) -> None:
        super().__init__()
        x = torch.randn(64, 3, generator=torch.Generator().manual_seed(0))
        self.points = TensorDataset(x, x.sum(1, keepdim=True))

    def train_dataloader(self) -> Any:
        return DataLoader(self.points, 8, shuffle=True)

    def val_dataloader(self) -> Any:
        return DataLoader(self.points, 64)


def names_of_a_reader(folder: Path) -> dict[str, Any]:
    """Return what the reader of a block has: a model, data, a loop, and Lightning's names."""
    module, data = Line(), Points()

    def trainer(**settings: Any) -> Trainer:
        quiet: dict[str, Any] = {"enable_progress_bar": False, "enable_model_summary": False}
        kept = {"default_root_dir": folder, "logger": False, "enable_checkpointing": False}
        return Trainer(**{"accelerator": "cpu", "max_epochs": 2, **quiet, **kept, **settings})

    def loss(model: Any, batch: Any) -> Any:
        return torch.nn.functional.mse_loss(model(batch[0]), batch[1])

    return {
        **{"autolr": autolr, "LambdaLR": LambdaLR, "Trainer": trainer},
        **{"model": module, "data": data, "loss": loss},
        "batches": data.train_dataloader(),
        "validate": lambda model: float(loss(model, data.points.tensors)),
        "optimizer": torch.optim.SGD(module.parameters(), lr=0.1),
        **{"step": 3, "total_steps": 10},
    }


@named([block for block in BLOCKS if block.language == "python" and block.file != NOTEBOOK])
def test_python_runs(block: Block, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    names = names_of_a_reader(tmp_path)
    exec(block.text.replace("total_steps=3000", "total_steps=300"), names)
    trainer = names.get("trainer")
    if trainer is not None and trainer.global_step == 0:  # the block leaves it to the reader
        trainer.fit(names["model"], datamodule=names["data"])
    for folder in re.findall(r'load_result\("(\w+)"\)', block.text):
        assert autolr.load_result(folder).peak == names["callback"].result.peak


def test_constructors_in_the_text_take_what_they_are_given(
    tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    reader = names_of_a_reader(tmp_path)
    earlier = callbacks.AutoLR(save_to="found")
    trainer = reader["Trainer"](max_epochs=20, callbacks=[earlier])
    trainer.fit(reader["model"], datamodule=reader["data"])
    actual = SimpleNamespace(peak=0.1, schedule=schedules.constant(), own_peak=0.2)
    actual.rule, actual.rule_settings = "sps_max", (("c", 1.0),)
    names = {**vars(callbacks), "Annealed": Annealed, "result": actual, "x": 0.1, "autolr": autolr}
    calls = [
        call for start in ("AutoLR(", "[ApplyRule(", "FollowCandidate(") for call in inline(start)
    ]
    assert len(calls) >= 6
    for _, call in calls:
        eval(call, names)

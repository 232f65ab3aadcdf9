"""A value of the space with which a run cannot be made, though the config itself can."""

import sys
from pathlib import Path
from typing import Any

import pytest

import autolr
from autolr.errors import ConfigError
from tests.cases import with_slow

MODULE = """
import torch
from lightning.pytorch import LightningModule
from torch.utils.data import DataLoader


class Bowl(LightningModule):
    def __init__(self, logs: bool = True):
        super().__init__()
        self.w, self.logs = torch.nn.Parameter(torch.ones(1)), logs

    def training_step(self, batch):
        return self.w.square().sum()

    def validation_step(self, batch):
        if self.logs:
            self.log("val_loss", self.w.square().sum())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)

    def train_dataloader(self):
        return DataLoader(torch.ones(8), 4)

    def val_dataloader(self):
        return DataLoader(torch.ones(4), 4)
"""
AVERAGED = {"class_path": "StochasticWeightAveraging", "init_args": {"swa_lrs": 0.1}}
CASES = {
    "a callback": ("trainer.callbacks", [[], [AVERAGED]], "does not support StochasticWeight"),
    "a metric": ("model.init_args.logs", [True, False], "tune.monitor must be a metric"),
    "data": ("trainer.limit_val_batches", [1.0, 0], "compared by their validation"),
}


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    (tmp_path / "sampled_bowl.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "sampled_bowl", raising=False)
    return {
        "model": {"class_path": "sampled_bowl.Bowl"},
        "trainer": {"max_epochs": 1, "accelerator": "cpu", "logger": False},
        "tune": {"space": {"lr": [0.1]}, "online": False, "pruner": "none", "trials": 1},
    }


@pytest.mark.parametrize(("name", "choices", "reason"), with_slow(CASES, "a callback"))
def test_it_fails_its_trial_and_the_study_goes_on(
    config: dict[str, Any], name: str, choices: list[Any], reason: str
) -> None:
    config["tune"] |= {"space": {"lr": [0.1], name: choices}}
    bad, good = ({"lr": 0.1, name: choice} for choice in reversed(choices))
    config["tune"]["start"] = [bad, good]
    failed, trained = autolr.tune(config).trials
    assert (failed.state, failed.attrs["attempts"], trained.state) == ("FAIL", 1, "COMPLETE")
    assert reason in failed.attrs["reason"]


def test_where_the_config_has_it_the_study_does_not_begin(config: dict[str, Any]) -> None:
    config["trainer"]["callbacks"] = [AVERAGED]
    with pytest.raises(ConfigError, match="not support StochasticWeightAveraging"):
        autolr.tune(config)

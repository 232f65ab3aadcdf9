"""What is known of a LightningCLI run before it trains."""

from pathlib import Path
from typing import Any

import pytest

from autolr.config import read_config
from autolr.errors import ConfigError
from autolr.objective.check import check_lightning_run

MODULE = """
import torch
from lightning.pytorch import LightningModule
from torch.utils.data import DataLoader


class Bowl(LightningModule):
    def __init__(self, lr: float = 0.1, batch: int = 4):
        super().__init__()
        self.w, self.lr, self.batch = torch.nn.Parameter(torch.ones(1)), lr, batch

    def training_step(self, batch):
        return self.w.square().sum()

    def validation_step(self, batch):
        self.log("val_loss", self.w.square().sum())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.lr)

    def train_dataloader(self):
        return DataLoader(torch.ones(8), self.batch, drop_last=True)

    def val_dataloader(self):
        return DataLoader(torch.ones(4), 4)
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    (tmp_path / "checked_bowl.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return {
        "model": {"class_path": "checked_bowl.Bowl", "init_args": {}},
        "trainer": {"max_epochs": 1, "accelerator": "cpu"},
        "tune": {"space": {"lr": [0.1]}},
    }


@pytest.mark.parametrize(
    ("section", "values"), [("trainer", {"max_epochs": 0}), ("model", {"init_args": {"batch": 99}})]
)
def test_a_run_without_a_step_is_named_as_such(
    config: dict[str, Any], tmp_path: Path, section: str, values: dict[str, Any]
) -> None:
    config[section] |= values
    with pytest.raises(ConfigError, match=r"a run makes no optimizer step: trainer\.max_epochs"):
        check_lightning_run(read_config(config), tmp_path)


def test_the_optimizer_of_a_run_is_named_where_the_space_has_rules(
    config: dict[str, Any], tmp_path: Path
) -> None:
    config["tune"]["space"] = {"rule": ["fixed", "momo"], "lr": [0.1]}
    assert check_lightning_run(read_config(config), tmp_path).optimizer == "SGD"


def test_a_rate_of_the_module_in_the_space_is_warned_of(
    config: dict[str, Any], tmp_path: Path
) -> None:
    assert check_lightning_run(read_config(config), tmp_path).warnings == ()
    config["tune"]["space"] = {"model.init_args.lr": [0.1, 0.2]}
    (line,) = check_lightning_run(read_config(config), tmp_path).warnings
    assert line.startswith("the space has model.init_args.lr, and the study sets the rate")
    assert "search the peak as lr: " in line


def test_a_metric_that_is_not_logged_is_named_as_the_config_does(
    config: dict[str, Any], tmp_path: Path
) -> None:
    config["tune"]["monitor"] = "val_lss"
    with pytest.raises(ConfigError, match=r"^tune\.monitor must be a metric that .*'val_loss'\?$"):
        check_lightning_run(read_config(config), tmp_path)


@pytest.mark.parametrize("given", [{}, {"batch": 4}])
def test_a_range_of_fractions_for_a_whole_number_says_what_to_write(
    config: dict[str, Any], tmp_path: Path, given: dict[str, Any]
) -> None:
    config["model"]["init_args"] = given
    config["tune"]["space"] |= {"model.init_args.batch": {"low": 2, "high": 4}}
    message = r"^tune.space: model.init_args.batch must be int, got [24]\.0; .* has type: int$"
    with pytest.raises(ConfigError, match=message):
        check_lightning_run(read_config(config), tmp_path)
    config["tune"]["space"]["model.init_args.batch"]["type"] = "int"
    check_lightning_run(read_config(config), tmp_path)


def test_a_list_of_callbacks_is_a_choice(config: dict[str, Any], tmp_path: Path) -> None:
    stop = {"class_path": "EarlyStopping", "init_args": {"monitor": "val_loss"}}
    choices = [[], [stop]]
    config["tune"]["space"] |= {"trainer.callbacks": choices}
    given = read_config(config)
    assert check_lightning_run(given, tmp_path).run_steps == 2
    assert given.space.to_dict()["trainer.callbacks"]["choices"] == choices
    stop["init_args"] = {"monitor": 1}
    with pytest.raises(ConfigError, match=r"^tune\.space: trainer\.callbacks"):
        check_lightning_run(read_config(config), tmp_path)

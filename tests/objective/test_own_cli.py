"""Studies of projects with a LightningCLI of their own, and of what LightningCLI itself writes."""

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from autolr import tune
from autolr.cli import main
from autolr.driver import Noted, StudyReady
from autolr.errors import ConfigError, UserCodeError

PROJECT = '''\
"""A project that is not complete without its LightningCLI."""

import torch
from lightning.pytorch import Callback, LightningDataModule, LightningModule
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.cli import LightningCLI
from torch.utils.data import DataLoader, TensorDataset

torch.set_num_threads(1)
SEEN = []


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


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the project's module; the working folder is its own."""
    (tmp_path / "own_project.py").write_text(PROJECT)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "own_project", raising=False)
    return importlib.import_module("own_project")


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


@pytest.mark.parametrize(
    "cli", ["own_project.main", "own_project:main", "own_project.ClosedCLI", MAPPING]
)
def test_links_defaults_callbacks_and_arguments_are_those_of_the_own_cli(
    project: Any, cli: object
) -> None:
    (trial,) = tune(config(cli)).trials
    assert trial.state == "COMPLETE"
    seen = project.SEEN[-1]
    assert seen["width"] == trial.params["model.width"]
    assert seen["epochs"] == 2
    assert seen["words"] == ["linked"]
    assert seen["marked"] == "given"
    assert ("Always" in seen["callbacks"]) == (cli is not MAPPING)
    assert ("ModelCheckpoint" in seen["callbacks"]) == (cli is not MAPPING)
    assert not {"SaveConfigCallback", "TQDMProgressBar", "RichProgressBar"} & {*seen["callbacks"]}


def test_the_best_run_is_repeated_by_autolr_and_by_the_script_itself(
    project: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (trial,) = tune(config("own_project.main")).trials
    best = tmp_path / "autolr_runs/autolr/best.yaml"
    assert '# Cli: "own_project.main"' in best.read_text()
    assert "cli" not in yaml.safe_load(best.read_text())
    assert main(["fit", str(best)]) == 0
    assert project.SEEN[-1]["val_loss"] == trial.value
    monkeypatch.setattr(sys, "argv", ["own_project.py", "fit", "-c", str(best)])
    with pytest.raises(AssertionError, match="what follows"):
        project.main()
    assert project.SEEN[-1]["val_loss"] == trial.value


def test_what_the_cli_saves_beside_a_run_can_be_tuned(
    project: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["own_project.py", "fit"])
    with pytest.raises(AssertionError, match="what follows"):
        project.main()
    (saved,) = tmp_path.glob("lightning_logs/version_0/config.yaml")
    written = yaml.safe_load(saved.read_text())
    assert written["ckpt_path"] is None
    section = config(None)["tune"]
    (trial,) = tune({**written, "cli": "own_project.main", "tune": section}).trials
    assert trial.state == "COMPLETE"
    assert not {"TQDMProgressBar", "RichProgressBar"} & {*project.SEEN[-1]["callbacks"]}


def test_trials_share_no_callback_of_the_trainers_defaults(project: Any) -> None:
    tune(config("own_project.ClosedCLI", tune={"trials": 2}))
    assert [seen["runs"] for seen in project.SEEN] == [[1], [1], [1]]  # the check, and the trials


def test_sections_of_an_optimizer_are_tuned(project: Any) -> None:
    cli = {
        "class_path": "own_project.OptimizerCLI",
        "init_args": {
            "model_class": "own_project.Plain",
            "datamodule_class": "own_project.OwnPoints",
        },
    }
    space = {"lr": LR, "optimizer.weight_decay": {"low": 0.0, "high": 0.1}}
    given = config(cli, trainer={"max_epochs": 1, "accelerator": "cpu"}, tune={"space": space})
    del given["mark"]
    (trial,) = tune(given).trials
    assert trial.state == "COMPLETE"
    assert 0.0 < trial.params["optimizer.weight_decay"] < 0.1


def test_a_script_that_fits_by_hand_is_left_when_it_has_its_cli(project: Any) -> None:
    given = config("own_project.by_hand", trainer={"max_epochs": 1, "accelerator": "cpu"})
    del given["mark"]
    given["model"] = {"n_in": 3}
    (trial,) = tune(given).trials
    assert trial.state == "COMPLETE"
    assert len(project.SEEN) == 2  # the check, and the trial


def test_a_setting_that_the_cli_does_not_have_is_named_in_one_line(project: Any) -> None:
    with pytest.raises(ConfigError, match=r"^words: unknown key 'wrod'"):
        tune(config("own_project.main", words={"wrod": "x"}))
    with pytest.raises(ConfigError, match=r"^tune.space: model: unknown key 'heads'$"):
        tune(config("own_project.main", tune={"space": {"lr": LR, "model.heads": [1]}}))
    with pytest.raises(ConfigError, match=r"^model.width must be int, got wide"):
        tune(config("own_project.main", model={"width": "wide"}))


@pytest.mark.parametrize(
    ("cli", "message"),
    [
        ("own_project.nothing", "cli must be the path of a LightningCLI, or of a function that"),
        ("own_project.OwnNet", "cli must be"),
        ("own_project.SEEN", "cli must be"),
        ("own_project.Missing", "cli must be the path of a class that can be imported"),
        ({"class_path": "own_project.OwnCLI", "args": {}}, "cli must be"),
        (3, "cli must be"),
    ],
)
def test_what_is_no_cli_is_refused(project: Any, cli: object, message: str) -> None:
    with pytest.raises((ConfigError, UserCodeError)) as error:
        tune(config(cli))
    assert message in str(error.value)
    assert isinstance(error.value, ConfigError)


def test_without_the_cli_the_message_says_what_to_do(project: Any) -> None:
    model = {"class_path": "own_project.OwnNet"}
    given = {"model": model, "data": "own_project.OwnPoints", "tune": config(None)["tune"]}
    given["tune"]["space"] = {"lr": LR}
    with pytest.raises(ConfigError, match=r"needs n_in; if your own LightningCLI .* write cli:"):
        tune(given)
    with pytest.raises(ConfigError, match=r"^model must have a class_path; if your own .* cli:"):
        tune({**given, "model": {"width": 3}})
    with pytest.raises(ConfigError, match=r"unknown key 'words'.* write cli: my_project.MyCLI"):
        tune({**given, "words": {"word": "x"}})


def test_short_names_of_classes_are_those_of_lightning_cli(project: Any) -> None:
    given = config(
        {"class_path": "own_project:LightningCLI", "init_args": {"trainer_defaults": {}}},
        model="OwnNet",
        data={"class_path": "OwnPoints"},
        trainer={"max_epochs": 1, "accelerator": "cpu"},
        tune={"space": {"lr": LR, "model.init_args.n_in": 3}},
    )
    del given["mark"]
    (trial,) = tune(given).trials
    assert trial.state == "COMPLETE"


def test_a_seed_left_to_lightning_is_the_one_that_lightning_takes_and_is_said(
    project: Any,
) -> None:
    lines: list[str] = []

    def listen(event: object) -> None:
        if isinstance(event, Noted):
            lines.append(event.line)

    given = config("own_project.main", seed_everything=True)
    (trial,) = tune(given, listener=listen).trials
    assert lines == ["seed_everything: true takes seed 0, the default of Lightning: a run repeats"]
    (again,) = tune({**given, "seed_everything": 0}, study="again").trials
    assert again.value == trial.value


def test_a_checkpoint_to_go_on_from_is_for_fit_and_not_for_a_study(
    project: Any, tmp_path: Path
) -> None:
    given = config("own_project.main", ckpt_path="last.ckpt")
    with pytest.raises(ConfigError, match=r"ckpt_path must be null in a study, .* got 'last.ckpt'"):
        tune(given)
    tune(config("own_project.main"))
    best = tmp_path / "autolr_runs/autolr/best.yaml"
    assert main(["fit", str(best), "--out", "first"]) == 0
    (checkpoint,) = tmp_path.glob("first/**/last.ckpt")
    text = best.read_text() + f"ckpt_path: {checkpoint}\nweights_only: null\n"
    (tmp_path / "longer.yaml").write_text(text.replace("trainer:\n", "trainer:\n  max_epochs: 3\n"))
    assert main(["fit", "longer.yaml", "--out", "second"]) == 0
    assert project.SEEN[-1]["epochs"] == 3


def test_what_a_study_does_not_do_as_the_cli_does_is_said_before_it_begins(project: Any) -> None:
    lines: list[str] = []

    def listen(event: object) -> None:
        if isinstance(event, StudyReady):
            lines.extend(event.warnings)

    given = config("own_project.DifferentCLI")
    del given["seed_everything"]
    tune(given, listener=listen)
    assert lines[:3] == [
        "DifferentCLI.fit and DifferentCLI.after_fit cannot be called: a study trains through "
        "Trainer.fit",
        "seed_everything is not in the config: a study takes 0, and not the 7 of DifferentCLI",
        "trainer.callbacks has a default in DifferentCLI, which the list in best.yaml replaces: "
        "write them into the config",
    ]
    lines.clear()
    tune(config("own_project.ClosedCLI"), study="same", listener=listen)
    assert lines == []


def test_several_devices_have_to_be_in_the_config(project: Any) -> None:
    defaults = {**MAPPING["init_args"]["trainer_defaults"], "devices": 2}
    cli = {**MAPPING, "init_args": {**MAPPING["init_args"], "trainer_defaults": defaults}}
    with pytest.raises(ConfigError, match=r"OwnCLI trains on 2 devices: write trainer: {devices:"):
        tune(config(cli))


def test_an_objective_needs_no_cli(project: Any) -> None:
    with pytest.raises(ConfigError, match="leave out cli"):
        tune(config("own_project.main", objective="own_project.OwnNet"))


@pytest.mark.slow
def test_workers_make_the_own_cli_too(project: Any) -> None:
    result = tune(config("own_project.main", tune={"trials": 2, "workers": 2}))
    assert [trial.state for trial in result.trials] == ["COMPLETE"] * 2

"""`autolr.tune` from Python, on a model made here."""

import copy
import dataclasses
import inspect
import json
import math
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
import yaml

import autolr
from autolr.candidate import Candidate
from autolr.cli import main
from autolr.config import read_config
from autolr.console import ConsoleProgress
from autolr.driver import (
    CheckStarted,
    Noted,
    RungReached,
    StudyReady,
    TrialEnded,
    TrialFailed,
    TrialStarted,
)
from autolr.errors import ConfigError, StorageError, StudyMismatchError
from autolr.job import Decision, TrialJob
from autolr.objective import run_trial
from autolr.objective.lightning_cli import lightning_errors
from autolr.tune_config import TuneConfig

MODEL = """\
import torch
from lightning.pytorch import LightningDataModule, LightningModule
from torch.utils.data import DataLoader, TensorDataset


class Mean(LightningModule):
    def __init__(self):
        super().__init__()
        self.w = torch.nn.Parameter(torch.zeros(1))

    def training_step(self, batch):
        return ((self.w - batch[0]) ** 2).mean()

    def validation_step(self, batch):
        self.log("val_loss", ((self.w - 1) ** 2).mean())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


class Ones(LightningDataModule):
    def train_dataloader(self):
        return DataLoader(TensorDataset(torch.ones(27)), 1)

    def val_dataloader(self):
        return DataLoader(TensorDataset(torch.ones(2)), 2)
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    (tmp_path / "mean_of_ones.py").write_text(MODEL)
    monkeypatch.chdir(tmp_path)
    return {
        "trainer": {"max_epochs": 1, "accelerator": "cpu"},
        "model": {"class_path": "mean_of_ones.Mean"},
        "data": {"class_path": "mean_of_ones.Ones"},
        "tune": {"space": {"lr": [0.001, 0.003, 0.01, 0.03, 0.1]}, "trials": 5},
    }


def test_two_objectives_leave_the_trials_that_none_beats_in_both(
    config: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config["tune"] |= {
        "space": {"lr": [0.001, 0.01, 0.1], "trainer.max_epochs": [1, 2, 3]},
        "objective": ["val_loss", "cost"],
        "trials": 8,
    }
    autolr.tune(config, trials=5)
    result = autolr.tune(config)
    assert (result.trained, result.finished) == (3, 8)
    assert {trial.cost for trial in result.trials} <= {27.0, 54.0, 81.0}
    cheapest: dict[float, float] = {}  # by cost, the lowest loss
    for trial in result.trials:
        assert trial.value is not None
        assert trial.cost is not None
        cheapest[trial.cost] = min(trial.value, cheapest.get(trial.cost, math.inf))
    front = {
        (loss, cost)
        for cost, loss in cheapest.items()
        if all(loss < other for steps, other in cheapest.items() if steps < cost)
    }
    assert {(trial.value, trial.cost) for trial in result.best} == front
    assert result.best[0].value == min(cheapest.values())
    assert (
        f"(trial {result.best[0].number}, "
        in (tmp_path / "autolr_runs/autolr/best.yaml").read_text()
    )
    table = pd.read_csv(tmp_path / "autolr_runs/autolr/trials.csv")
    assert table["value"].tolist() == [trial.value for trial in result.trials]
    assert table["steps"].tolist() == [trial.cost for trial in result.trials]

    assert main(["show", "autolr"]) == 0
    heading, _, _, _, *rows = capsys.readouterr().out.splitlines()
    assert heading == "study 'autolr': 8 complete; lower val_loss and lower cost is better"
    numbers = [trial.number for trial in result.best]
    assert [row.split()[:2] for row in rows[: len(numbers)]] == [[str(n), "*"] for n in numbers]
    assert main(["show", "autolr", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["front"] == numbers

    (tmp_path / "two.yaml").write_text(yaml.safe_dump(config))
    assert main(["tune", "two.yaml"]) == 0
    output = capsys.readouterr().out
    assert "8 of 8 trials finished, nothing to train" in output
    assert "no other trial is better in both val_loss and cost than these:" in output
    del config["tune"]["objective"]
    with pytest.raises(StudyMismatchError, match=r"study 'autolr' was made with pruner.name = "):
        autolr.tune(config)


def test_a_listener_hears_each_trial_from_start_to_end(config: dict[str, Any]) -> None:
    heard: list[object] = []
    result = autolr.tune(config, listener=heard.append)
    checking, ready = heard[:2]
    assert isinstance(checking, CheckStarted)
    assert isinstance(ready, StudyReady)
    assert (ready.run_steps, ready.finished, ready.resumed) == (27, 0, ())
    assert ready.hyperband is not None
    started = [event for event in heard if isinstance(event, TrialStarted)]
    ended = [event for event in heard if isinstance(event, TrialEnded)]
    assert {event.number for event in started} == {event.trial.number for event in ended}
    assert not any(event.again for event in started)
    rungs = [event for event in heard if isinstance(event, RungReached)]
    for event in rungs:
        bracket = next(one.bracket for one in started if one.number == event.number)
        assert bracket is not None
        assert event.step in ready.hyperband.rungs(bracket)
    waited = {event.number for event in rungs if event.waits}
    promoted = {event.number for event in started if event.promoted is not None}
    assert promoted <= waited
    pruned = {trial.number for trial in result.trials if trial.state == "PRUNED"}
    assert pruned <= waited
    assert pruned | promoted == waited
    assert (result.finished, result.failed, result.trained) == (5, 0, 5)
    assert result.complete
    # w goes from 0 towards 1: the larger rate is nearer after 27 steps
    assert result.best[0].params["lr"] == 0.1
    assert [file.name for file in result.files] == ["best.yaml", "schedule.json", "trials.csv"]
    assert result.best[0].value == pytest.approx(0.0, abs=0.01)

    heard.clear()
    again = autolr.tune(config, listener=heard.append)
    assert (again.trained, again.complete, heard) == (0, True, [])
    assert again.best == result.best


def test_arguments_stand_in_for_settings_of_the_config(config: dict[str, Any]) -> None:
    result = autolr.tune(config, trials=1, study="other", out="results", pruner="none")
    assert result.finished == 1
    assert (result.config.tune.study, result.config.tune.pruner.name) == ("other", "none")
    assert Path("results/trials.csv").is_file()
    with pytest.raises(TypeError, match="trails"):
        autolr.tune(config, trails=1)  # type: ignore[call-arg]


def test_a_space_that_is_given_replaces_that_of_the_config(config: dict[str, Any]) -> None:
    result = autolr.tune(config, {"lr": 0.05, "schedule": ["cosine"]}, trials=1)
    assert result.trials[0].params == {"lr": 0.05, "schedule": "cosine"}


def test_the_signature_of_tune_has_every_setting_of_the_section() -> None:
    given = set(inspect.signature(autolr.tune).parameters)
    own = {"config", "max_steps", "seed", "fresh", "dry_run", "listener"}
    assert given - own == {field.name for field in dataclasses.fields(TuneConfig)}


def test_the_mapping_is_left_as_it_was(config: dict[str, Any]) -> None:
    stopping = {"class_path": "lightning.pytorch.callbacks.EarlyStopping"}
    config["trainer"]["callbacks"] = [stopping | {"init_args": {"monitor": "val_loss"}}]
    before = copy.deepcopy(config)
    result = autolr.tune(config, trials=2, study="callbacks")
    assert result.finished == 2
    assert config == before


def test_a_dry_run_opens_no_study(config: dict[str, Any]) -> None:
    result = autolr.tune(config, dry_run=True)
    assert result.trials == ()
    assert not Path("autolr.db").exists()


def test_a_folder_of_results_holds_one_study(config: dict[str, Any], tmp_path: Path) -> None:
    first = autolr.tune(config, trials=1, study="a", out="shared")
    others: list[dict[str, Any]] = [
        {"study": "b"},
        {"study": "a", "storage": "sqlite:///other.db"},
    ]
    for settings in others:
        for fresh in (False, True):
            with pytest.raises(StorageError, match="out shared holds the results of study 'a' in"):
                autolr.tune(config, trials=1, out="shared", fresh=fresh, **settings)
    other = autolr.tune(config, trials=1, study="b", out="own")
    with pytest.raises(StorageError, match="study 'a'"):  # complete, it writes nothing there either
        autolr.tune(config, trials=1, study="b", out="shared")
    assert (first.trained, other.trained) == (1, 1)
    (tmp_path / "autolr.db").rename(tmp_path / "moved.db")
    moved: dict[str, Any] = {"study": "a", "storage": "sqlite:///moved.db", "out": "shared"}
    assert autolr.tune(config, trials=2, **moved).trained == 1
    assert autolr.tune(config, trials=1, fresh=True, **moved).trained == 1


def test_files_that_another_folder_has_left_behind_are_written_again(
    config: dict[str, Any], tmp_path: Path
) -> None:
    autolr.tune(config, trials=1)
    autolr.tune(config, trials=3, out="elsewhere")
    again = autolr.tune(config, trials=3)
    assert again.trained == 0
    assert tmp_path / "autolr_runs/autolr/trials.csv" in [file.absolute() for file in again.files]
    for name in ("trials.csv", "schedule.json"):
        texts = [(tmp_path / out / name).read_text() for out in ("autolr_runs/autolr", "elsewhere")]
        assert texts[0] == texts[1]
    assert autolr.tune(config, trials=3).files == ()


class Waits:
    """Lets a run wait at each rung; writes down which they are."""

    def __init__(self) -> None:
        self.rungs: list[int] = []

    def judge(self, step: int, score: float) -> Decision:
        self.rungs.append(step)
        return Decision.PAUSE

    def remark(self, line: str) -> None:
        """Forget the line."""


def test_a_trial_continues_from_no_checkpoint_but_its_own(
    config: dict[str, Any], tmp_path: Path
) -> None:
    candidate = Candidate(peak=0.01)
    folder = tmp_path / "trial_0"

    def rungs_of(trial: str) -> list[int]:
        judge = Waits()
        known = (9,)
        run_trial(
            TrialJob(read_config(config), candidate, folder, (9, 18), 27, known, trial=trial), judge
        )
        return judge.rungs

    assert rungs_of("a 0") == [9]
    assert rungs_of("a 0") == [18]
    assert rungs_of("b 0") == [9]


def _leave_at_a_rung(event: object) -> None:
    """Send a signal to this process, which leaves the trial with a checkpoint."""
    if isinstance(event, RungReached):
        os.kill(os.getpid(), signal.SIGTERM)


def _of_another_trial(file: Path) -> None:
    stored = torch.load(file, weights_only=True)
    stored["callbacks"]["PauseTrial"]["trial"] = "b 0"
    torch.save(stored, file)


def _of_an_ordinary_run(file: Path) -> None:
    stored = torch.load(file, weights_only=True)
    del stored["callbacks"]["PauseTrial"]
    torch.save(stored, file)


def _of_something_else(file: Path) -> None:
    torch.save([1, 2], file)


def _without_a_part(file: Path) -> None:
    stored = torch.load(file, weights_only=True)
    del stored["optimizer_states"]
    torch.save(stored, file)


def _cut_short(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def _planted(file: Path) -> None:
    class Planted:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(file.parent / "ran"),)

    stored = torch.load(file, weights_only=True)
    torch.save({**stored, "more": Planted()}, file)


_SPOILT: list[tuple[Callable[[Path], None], str]] = [
    (_of_another_trial, "it belongs to another trial or study"),
    (_of_an_ordinary_run, "it belongs to another trial or study"),
    (_of_something_else, "it is no checkpoint of a trial"),
    (_without_a_part, "it is no checkpoint of a trial"),
    (_cut_short, "it is damaged or no checkpoint"),
    (_planted, "it holds posix.mkdir, which tune.safe_globals does not name"),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spoil", "message"), _SPOILT, ids=lambda value: getattr(value, "__name__", "")
)
def test_a_checkpoint_that_cannot_be_used_is_named_and_the_trial_begins_anew_in_one_attempt(
    config: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
    spoil: Callable[[Path], None],
    message: str,
) -> None:
    autolr.tune(config, listener=_leave_at_a_rung)
    (file,) = Path().glob("autolr_runs/autolr/trial_*/rung.ckpt")
    spoil(file)
    heard: list[object] = []
    progress = ConsoleProgress()

    def listen(event: object) -> None:
        heard.append(event)
        progress(event)  # type: ignore[arg-type]

    result = autolr.tune(config, listener=listen)
    (note,) = (event for event in heard if isinstance(event, Noted))
    number = int(file.parent.name.partition("_")[2])
    assert note.line.startswith(f"trial {number}: {file} is not used, {message}")
    assert note.line.endswith("; the trial begins anew")
    assert f"\n{note.line}\n" in capsys.readouterr().out
    assert not any(isinstance(event, TrialFailed) for event in heard)
    assert (result.finished, result.failed) == (5, 0)
    assert not (file.parent / "ran").exists()
    whole = autolr.tune(config, study="whole")
    assert [t.value for t in result.trials] == [t.value for t in whole.trials]
    assert [t.scores for t in result.trials] == [t.scores for t in whole.trials]


_KEEPER = """
from pathlib import Path
from mean_of_ones import Mean


class Kept:
    pass


class Keeper(Mean):
    def __init__(self):
        super().__init__()
        self.save_hyperparameters({"folder": Path("x")})

    def on_save_checkpoint(self, checkpoint):
        checkpoint["kept"] = Kept()

    def on_load_checkpoint(self, checkpoint):
        assert isinstance(checkpoint["kept"], Kept)
"""


def test_classes_that_a_checkpoint_needs_are_allowed_by_name(
    config: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "keeper.py").write_text(_KEEPER)
    config["model"] = {"class_path": "keeper.Keeper"}
    path = f"{type(Path()).__module__}.{type(Path()).__name__}"
    with pytest.raises(ConfigError, match=rf"^what Keeper saves .*safe_globals: \[{path}\]$"):
        autolr.tune(config, listener=_forbid_training)
    config["tune"]["safe_globals"] = [path]
    with pytest.raises(ConfigError, match=r"rung.ckpt\) holds keeper.Kept, .*: \[keeper.Kept\]$"):
        autolr.tune(config)
    config["tune"]["safe_globals"].append("keeper.Kept")
    heard: list[object] = []
    cut = autolr.tune(config, listener=_leave_at_a_rung)
    assert cut.interrupted == signal.SIGTERM
    assert list(Path().glob("autolr_runs/autolr/trial_*/rung.ckpt"))
    result = autolr.tune(config, listener=heard.append)
    assert (result.finished, result.failed) == (5, 0)
    assert any(isinstance(event, TrialStarted) and event.again for event in heard)
    assert not any(isinstance(event, Noted) for event in heard)


def _forbid_training(event: object) -> None:
    assert not isinstance(event, TrialStarted)


@pytest.mark.parametrize("names", ["a.b", [3], ["Path"], ["os.; x"], {"a": 1}])
def test_safe_globals_are_a_list_of_full_names(config: dict[str, Any], names: Any) -> None:
    config["tune"]["safe_globals"] = names
    with pytest.raises(ConfigError, match=r"tune.safe_globals must be a list of names such as"):
        autolr.tune(config)


def test_a_full_disk_is_not_the_fault_of_who_writes_to_it(tmp_path: Path) -> None:
    output = r"^cannot write to .*: No space left on device$"
    with pytest.raises(StorageError, match=output), lightning_errors(tmp_path):
        Path("/dev/full").write_text("x")


def test_a_link_to_nothing_is_no_folder_for_results(config: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(ConfigError, match=r"link is a broken link"):
        autolr.tune(config, out="link")


def _kept(folder: Path) -> set[int]:
    files = folder.glob("autolr_runs/autolr/trial_*/weights.ckpt")
    return {int(file.parent.name.removeprefix("trial_")) for file in files}


def test_the_weights_of_the_best_trial_stay(
    config: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tune.yaml").write_text(yaml.safe_dump(config))
    assert main(["tune", "tune.yaml"]) == 0
    best = _said_to_be_kept(capsys.readouterr().out)
    assert _kept(tmp_path) == {best}
    file = f"autolr_runs/autolr/trial_{best}/weights.ckpt"
    weight = torch.load(file, weights_only=True)["state_dict"]["w"]
    value = pd.read_csv("autolr_runs/autolr/trials.csv")["value"][best]
    assert float(((weight - 1) ** 2).mean()) == value
    assert (
        f"# Its weights, for load_from_checkpoint: {file}."
        in Path("autolr_runs/autolr/best.yaml").read_text()
    )
    assert not list(tmp_path.glob("autolr_runs/**/*.new"))


def _said_to_be_kept(out: str) -> int:
    """Return the number of the trial of which the console says where the weights are."""
    said = "weights of the best trial: "
    (line,) = (line for line in out.splitlines() if line.startswith(said))
    file = Path(line.removeprefix(said))
    assert file.is_file()
    return int(file.parent.name.removeprefix("trial_"))


@pytest.mark.parametrize("keep", [0, 2])
def test_as_many_weights_stay_as_the_config_says(
    config: dict[str, Any], tmp_path: Path, keep: int
) -> None:
    result = autolr.tune(config, keep=keep)
    assert len(result.best) > 2
    assert _kept(tmp_path) == {trial.number for trial in result.best[:keep]}


def test_weights_that_a_killed_driver_left_are_removed(
    config: dict[str, Any], tmp_path: Path
) -> None:
    config["tune"]["pruner"] = "none"
    autolr.tune(config, trials=2)
    for number in (0, 1):
        (tmp_path / f"autolr_runs/autolr/trial_{number}/weights.ckpt").touch()
    result = autolr.tune(config, trials=3)
    assert _kept(tmp_path) == {result.best[0].number}


def test_a_model_that_cannot_be_stored_is_trained_all_the_same(
    config: dict[str, Any], tmp_path: Path
) -> None:
    text = MODEL.replace(
        "    def configure_optimizers",
        "    def on_save_checkpoint(self, checkpoint):\n"
        "        checkpoint['f'] = lambda: 0\n\n"
        "    def configure_optimizers",
    )
    (tmp_path / "unstorable.py").write_text(text)
    config["model"]["class_path"] = "unstorable.Mean"
    config["data"]["class_path"] = "unstorable.Ones"
    config["tune"]["pruner"] = "none"
    heard: list[Any] = []
    result = autolr.tune(config, trials=1, listener=heard.append)
    assert result.trials[0].state == "COMPLETE"
    (line,) = (event.line for event in heard if isinstance(event, Noted))
    assert line.startswith("trial 0: its weights cannot be kept: ")
    assert _kept(tmp_path) == set()
    assert not list(tmp_path.glob("autolr_runs/**/*.new"))


def test_a_run_s_logger_has_the_trial_s_number_and_settings(
    config: dict[str, Any], tmp_path: Path
) -> None:
    logger = {"class_path": "lightning.pytorch.loggers.CSVLogger", "init_args": {"save_dir": "l"}}
    config["trainer"]["logger"] = logger
    config["tune"] |= {"space": {"lr": [0.01, 0.1], "trainer.max_epochs": [1, 2]}}
    result = autolr.tune(config, trials=2)
    for file in Path("l").glob("**/hparams.yaml"):
        logged = yaml.safe_load(file.read_text())
        params = result.trials[logged["autolr/trial"]].params
        assert logged["autolr/lr"] == params["lr"]
        assert logged["autolr/trainer.max_epochs"] == params["trainer.max_epochs"]
    assert len(list(Path("l").glob("**/hparams.yaml"))) == 2


def test_a_run_on_several_devices_is_not_repeated_in_one_process(
    config: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config["trainer"] |= {"devices": 2, "strategy": "ddp"}
    (tmp_path / "two.yaml").write_text(yaml.safe_dump(config))
    assert main(["fit", "two.yaml", "--seeds", "2"]) == 2
    assert "seeds must be 1 for a run on several devices" in capsys.readouterr().err


def test_each_seed_of_the_best_trial_keeps_its_weights(
    config: dict[str, Any], tmp_path: Path
) -> None:
    result = autolr.tune(config, trials=3, seeds=2, pruner="none")
    files = sorted(tmp_path.glob("autolr_runs/autolr/trial_*/**/weights.ckpt"))
    own = tmp_path / f"autolr_runs/autolr/trial_{result.best[0].number}"
    assert files == [own / "seed_0/weights.ckpt", own / "seed_1/weights.ckpt"]
    header = (tmp_path / "autolr_runs/autolr/best.yaml").read_text()
    assert header.count("/weights.ckpt") == 2

"""Which checkpoint a trial continues from, and what becomes of any other."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import autolr
from autolr.candidate import Candidate
from autolr.config import read_config
from autolr.console import ConsoleProgress
from autolr.driver import (
    Noted,
    RungReached,
    TrialFailed,
    TrialStarted,
)
from autolr.errors import ConfigError
from autolr.job import Decision, TrialJob
from autolr.objective import run_trial


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


@pytest.mark.slow
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

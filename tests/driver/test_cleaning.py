"""What `autolr clean` removes, and what it leaves."""

from pathlib import Path

import pytest

from autolr import study
from autolr.cli import main

OVER, OPEN = (0, 1, 2), 3


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A study with a complete trial, a pruned, a failed and a waiting one, and files of each."""
    monkeypatch.chdir(tmp_path)
    handle = study.open_study("sqlite:///autolr.db", "line")
    trials = [handle.ask() for _ in range(4)]
    handle.complete(trials[0], 0.5, {})
    handle.prune(trials[1], "not among the best at its rung", {})
    handle.fail(trials[2], "ValueError: no image")
    handle.pause(trials[OPEN], {})
    handle.close()
    results = tmp_path / "autolr_runs/line"
    for number in range(4):
        own = results / f"trial_{number}"
        (own / "seed_1").mkdir(parents=True)
        for name in ("rung.ckpt", "seed_1/rung.ckpt", "weights.ckpt", "metrics.jsonl", "error.txt"):
            (own / name).write_bytes(b"x" * 100)
    (results / "worker_0.log").write_bytes(b"x" * 7)
    (results / "trial_3/rung.new").write_bytes(b"x" * 11)
    (results / "best.yaml").touch()
    (results / "trial_9").mkdir()
    (results / "trial_9/rung.ckpt").touch()  # of no trial of this study
    return results


def files(folder: Path) -> set[str]:
    return {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}


def test_what_nothing_needs_is_removed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = files(folder)
    assert main(["clean", "line", "--dry-run"]) == 0
    assert "would remove 818 bytes" in capsys.readouterr().out
    assert files(folder) == before
    assert main(["clean", "line"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out == [
        "removed checkpoints of trials that are over (8): 800 bytes",
        "removed files that a killed process left half written (1): 11 bytes",
        "removed logs of workers (1): 7 bytes",
        "removed 818 bytes in autolr_runs/line",
    ]
    removed = {f"trial_{n}/{name}" for n in OVER for name in ("rung.ckpt", "seed_1/rung.ckpt")}
    removed |= {"trial_1/weights.ckpt", "trial_2/weights.ckpt"}
    assert before - files(folder) == removed | {"worker_0.log", "trial_3/rung.new"}
    assert main(["clean", "line"]) == 0
    assert "nothing that can be removed" in capsys.readouterr().out


@pytest.mark.parametrize(("keep", "stays"), [("0", {3}), ("1", {0, 3})])
def test_weights_of_more_trials_than_are_to_be_kept_go(
    folder: Path, keep: str, stays: set[int]
) -> None:
    assert main(["clean", "line", "--keep", keep]) == 0
    weights = {file.parent.name for file in folder.glob("trial_*/weights.ckpt")}
    assert weights == {f"trial_{number}" for number in stays}  # trial 3 is not over


def test_a_study_that_is_worked_on_is_left_alone(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = files(folder)
    with study.locked("sqlite:///autolr.db", "line"):
        assert main(["clean", "line"]) == 4
    assert "is in use by" in capsys.readouterr().err
    assert files(folder) == before


def test_the_folder_of_another_study_is_left_alone(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "study.json").write_text('{"study": "other", "storage": "x", "id": "y"}')
    assert main(["clean", "line"]) == 4
    assert "holds the results of study 'other'" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [["nope"], ["line", "--out", "nowhere"], ["line", "--keep", "-1"]]
)
def test_what_is_not_there_cannot_be_cleaned(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    assert main(["clean", *words]) == 2
    assert capsys.readouterr().err.count("\n") == 1

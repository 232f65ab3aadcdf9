"""Trials of a study that end before their planned length."""

import csv
import json
from typing import Any

import pytest

ENDS = (  # half of the trials end after 16 of 48 steps, where others would go on
    "time.sleep(float(os.environ",
    "if self.trainer.global_step == 15 and self.stops:\n"
    "            self.trainer.should_stop = True\n"
    "        time.sleep(float(os.environ",
)
ARGUMENT = ("dropout: float = 0.1)", "dropout: float = 0.1, stops: bool = True)")
KEPT = ("self.net = ", "self.stops = stops\n        self.net = ")
STOPS = "model.init_args.stops"
EARLY = {
    "class_path": "lightning.pytorch.callbacks.EarlyStopping",
    "init_args": {"monitor": "val_loss", "min_delta": 9.0, "patience": 1},
}


def trials(project: Any) -> list[dict[str, Any]]:
    finished = project.run("show", "line", "--storage", "sqlite:///runs.db", "--json")
    result: list[dict[str, Any]] = json.loads(finished.out)["trials"]
    return result


def some_stop(project: Any, **tune: object) -> None:
    project.change_model(ENDS, ARGUMENT, KEPT)
    changes = {f"tune/{name}": value for name, value in tune.items()}
    project.configure({f"tune/space/{STOPS}": [True, False], "tune/trials": 6, **changes})


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_a_trial_that_stopped_early_is_pruned_and_never_the_best(
    project: Any, workers: int
) -> None:
    some_stop(project)
    finished = project.tune("--workers", workers)
    result = trials(project)
    came = [trial for trial in result if trial["attrs"]["steps"] >= 16]  # not cut at rung 5
    stopped = [trial for trial in came if trial["params"][STOPS]]
    assert 0 < len(stopped) < len(came)
    for trial in stopped:
        assert (trial["state"], trial["value"]) == ("PRUNED", None)
        assert trial["stopped_early"]
        assert trial["attrs"]["stopped_at"] == 16
        assert trial["attrs"]["stopped_value"] == trial["attrs"]["metrics"]["val_loss"]
        assert trial["attrs"]["reason"] == "the run stopped early, after 16 of 48 steps"
        assert trial["attrs"].get("promoted", 0) < 16
    assert not any("stopped_at" in trial["attrs"] for trial in result if trial not in stopped)
    best = (project.folder / "autolr_runs/line/best.yaml").read_text()
    assert "stops: false" in best
    assert f"6 of 6 trials finished, {len(stopped)} of them stopped early" in finished.out
    assert "nothing to train" in project.tune().out

    shown = project.run("show", "line", "--storage", "sqlite:///runs.db").out
    assert f"{len(stopped)} stopped early" in shown.splitlines()[0]
    with (project.folder / "autolr_runs/line/trials.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["stopped_at"] for row in rows] == [
        "16" if row[STOPS] == "True" and int(row["steps"]) >= 16 else "" for row in rows
    ]
    assert project.run("report", "line", "--storage", "sqlite:///runs.db").status == 0
    page = (project.folder / "autolr_runs/line/report.html").read_text()
    assert page.count("<td>stopped early</td>") == len(stopped)


@pytest.mark.slow
def test_a_study_of_which_no_trial_ran_to_its_end_says_so(project: Any) -> None:
    project.configure({"trainer/callbacks": [EARLY], "tune/pruner": "none"})
    finished = project.tune()
    assert "warning: EarlyStopping may end trials before their 48 steps" in finished.out
    assert "4 of 4 trials finished, 4 of them stopped early" in finished.out
    assert "no trial ran to its planned end: best.yaml is of trial " in finished.out
    result = trials(project)
    assert {trial["attrs"]["stopped_at"] for trial in result} == {32}
    least = min(result, key=lambda trial: trial["attrs"]["stopped_value"])
    header = (project.folder / "autolr_runs/line/best.yaml").read_text().splitlines()
    assert f"(trial {least['number']}, val_loss {least['attrs']['stopped_value']:.6g})" in header[0]
    assert (
        "# No trial ran to its planned end: the run stopped early, after 32 of 48 steps." in header
    )
    weights = f"autolr_runs/line/trial_{least['number']}/weights.ckpt"
    assert f"# Its weights, for load_from_checkpoint: {weights}." in header
    kept = (project.folder / "autolr_runs/line").glob("trial_*/weights.ckpt")
    assert [file.parent.name for file in kept] == [f"trial_{least['number']}"]
    again = project.tune()
    assert again.trained == []
    assert "no trial ran to its planned end" in again.out
    assert project.run("report", "line", "--storage", "sqlite:///runs.db").status == 0
    page = (project.folder / "autolr_runs/line/report.html").read_text()
    assert "No trial is complete. 4 stopped early" in page


@pytest.mark.slow
def test_no_trial_that_stopped_early_is_on_the_front_of_two_objectives(project: Any) -> None:
    some_stop(project, objective=["val_loss", "cost"], trials=14)
    finished = project.tune()
    assert "stopped early" in finished.out
    shown = json.loads(project.run("show", "line", "--storage", "sqlite:///runs.db", "--json").out)
    stopped = {trial["number"] for trial in shown["trials"] if trial["stopped_early"]}
    assert stopped
    assert shown["front"]
    assert not stopped & set(shown["front"])

"""Trials that are DDP runs: two processes each, of which one talks to the driver."""

import json
from typing import Any

import pandas as pd
import pytest

pytestmark = pytest.mark.slow


def test_trials_of_two_ranks_are_judged_and_counted(project: Any) -> None:
    project.configure({"trainer/devices": 2, "trainer/strategy": "ddp", "tune/trials": 3})
    finished = project.tune()
    table = pd.read_csv(project.folder / "autolr_runs/line/trials.csv")
    assert table["state"].isin(["COMPLETE", "PRUNED"]).all()
    assert len(table) == 3
    assert "3 trials of 24 steps" in finished.out  # each rank has half of the data
    assert (table.query("state == 'COMPLETE'")["steps"] == 24).all()
    folder = project.folder / "autolr_runs/line"
    assert len(list(folder.glob("trial_*/weights.ckpt"))) == 1
    assert not list(folder.glob("trial_*/*.new"))
    for number in table["number"]:
        lines = (folder / f"trial_{number}/metrics.jsonl").read_text().splitlines()
        steps = [line["step"] for line in map(json.loads, lines) if "val_loss" in line]
        assert steps == sorted(set(steps))  # only rank 0 writes, and nothing twice


def test_a_trial_of_two_ranks_continues_after_a_signal(project: Any) -> None:
    project.configure({"trainer/devices": 2, "trainer/strategy": "ddp", "tune/trials": 1})
    command = project.start("tune", "tune.yaml", PAUSE="0.2")
    command.wait_for("continues")
    command.send(2)
    finished = command.wait()
    assert finished.status == 130, finished
    resumed = project.tune()
    assert "trial 0 starts again" in resumed.out
    assert pd.read_csv(project.folder / "autolr_runs/line/trials.csv")["steps"].tolist() == [24]

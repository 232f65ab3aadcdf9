"""A refined schedule, from the folder of a run."""

import json
from pathlib import Path

import numpy as np
import pytest

from autolr import schedules
from autolr.cli import main
from autolr.errors import ConfigError
from autolr.result import Result
from autolr.result.norms import Norms, refine_run
from autolr.schedules import linear, transfer


def test_norms_of_one_size_ask_for_a_linear_decay_at_its_peak(tmp_path: Path) -> None:
    Norms("l2", (2.0,) * 500, 500).write(tmp_path)
    Result(0.1, schedules.constant(), (), 0, 500, 0).save(tmp_path)
    refined = refine_run(tmp_path)
    assert refined.schedule.values(500) == pytest.approx(linear().values(500), abs=0.02)
    moved = transfer(0.1, schedules.constant(), 500, linear())
    assert refined.peak == pytest.approx(moved, rel=0.02)


def test_norms_that_fall_early_ask_for_a_warm_up(tmp_path: Path) -> None:
    values = np.maximum(1.0, 5.0 - np.arange(1000) / 50)
    Norms("l1", tuple(values), 1000).write(tmp_path)
    refined = refine_run(tmp_path)
    start, end = refined.schedule.at(0, 1000), refined.schedule.at(250, 1000)
    assert start < 0.3 < 0.9 < end
    assert refined.peak is None  # the folder has no result
    assert Norms.read(tmp_path).kind == "l1"


def test_the_command_writes_a_schedule_that_is_read_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Norms("l2", (2.0,) * 500, 500).write(tmp_path)
    assert main(["refine", str(tmp_path)]) == 0
    first, *_, last = capsys.readouterr().out.splitlines()
    assert first.startswith("refined schedule of 500 l2 norms, at each tenth of a run: 1.00 0.90")
    assert last.startswith("FollowCandidate(PEAK, schedule)")
    read = schedules.parse(json.loads((tmp_path / "refined.json").read_text("utf-8")))
    assert read == refine_run(tmp_path).schedule


def test_a_folder_without_norms_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^run must be a folder with norms\.json, which the"):
        refine_run(tmp_path)
    (tmp_path / "norms.json").write_text("{}", "utf-8")
    with pytest.raises(ConfigError, match=r"norms\.json has no norms"):
        refine_run(tmp_path)
    assert main(["refine", str(tmp_path)]) == 2

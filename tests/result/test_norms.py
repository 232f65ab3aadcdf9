"""A refined schedule, from the folder of a run."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

import autolr
from autolr import schedules
from autolr.cli import main
from autolr.errors import ConfigError
from autolr.result import Result
from autolr.result.norms import Norms, refine_run, refined_lines
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


def test_steps_without_a_norm_are_bridged_and_a_run_that_diverged_is_refused(
    tmp_path: Path,
) -> None:
    values = [5.0 - 0.01 * step for step in range(300)]
    whole, gaps = (tmp_path / name for name in ("whole", "gaps"))
    Norms("l2", tuple(values), 300).write(whole)
    lost = [math.inf if step in (0, 7, 8, 200) else x for step, x in enumerate(values)]
    Norms("l2", tuple(lost), 300).write(gaps)
    assert "Infinity" not in (gaps / "norms.json").read_text("utf-8")  # which is no JSON
    steps = np.arange(300)
    both = [refine_run(folder).schedule.values(300)[steps] for folder in (whole, gaps)]
    assert both[1] == pytest.approx(both[0], abs=0.005)
    for finite in (3, 140, 269):
        Norms("l2", tuple(values[:finite]) + (math.nan,) * (300 - finite), 300).write(gaps)
        said = rf"norms\.json: the gradients were finite at {finite} of 300 steps only: the run div"
        with pytest.raises(ConfigError, match=said):
            refine_run(gaps)
    Norms("l2", (1.0,), 1).write(gaps)
    with pytest.raises(ConfigError, match=r"norms\.json: gradient_norms must be at least 2"):
        refine_run(gaps)


def test_the_peak_of_another_rule_is_no_rate(tmp_path: Path) -> None:
    Norms("l2", (2.0,) * 500, 500).write(tmp_path)
    Result(0.1, schedules.constant(), (), 0, 500, 0, rule="momo").save(tmp_path)
    assert refine_run(tmp_path).peak is None


def test_a_line_of_code_reads_any_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / 'it\'s "quoted"'
    Norms("l2", (2.0,) * 500, 500).write(folder)
    code = refined_lines(folder)[3]
    assert code.startswith("schedule = ")
    read = eval(code.removeprefix("schedule = "), {"autolr": autolr, "json": json})
    assert read == refine_run(folder).schedule


def test_a_folder_without_norms_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^run must be a folder with norms\.json, which the"):
        refine_run(tmp_path)
    (tmp_path / "norms.json").write_text("{}", "utf-8")
    with pytest.raises(ConfigError, match=r"norms\.json has no norms: it has no 'norm'$"):
        refine_run(tmp_path)
    assert main(["refine", str(tmp_path)]) == 2

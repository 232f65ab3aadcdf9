"""A node with four devices: two trials at a time, each of two ranks that search the rate together.

The devices are declared, and the ranks are processes of the CPU that exchange by gloo.
"""

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

pytestmark = pytest.mark.slow

_DECLARED = "4,5,6,7"
_STEPS = 80  # of a run: each rank has half of the data
_CONFIG: dict[str, Any] = {
    "trainer/max_epochs": 10,
    "trainer/devices": 2,
    "trainer/strategy": "ddp",
    "tune/space": {"schedule": ["linear", "wsd"], "model.init_args.width": [4, 8]},
    "tune/sampler": "random",
    "tune/pruner": "none",
}
_SAY = """print("rank", os.environ.get("LOCAL_RANK", "0"), "of", os.environ["CUDA_VISIBLE_DEVICES"])
        time.sleep"""


@pytest.fixture
def node(project: Any) -> Any:
    project.change_model(("time.sleep", _SAY))
    project.configure(_CONFIG)
    return project


def trained(node: Any, out: str, *arguments: object) -> tuple[Any, list[set[tuple[str, str]]]]:
    """Return a study's table, and for each worker what its ranks saw of the devices."""
    command = ["tune", "tune.yaml", "--study", out, "--out", out, *arguments]
    finished = node.run(*command, CUDA_VISIBLE_DEVICES=_DECLARED)
    assert finished.status == 0, finished
    logs = [file.read_text() for file in sorted(Path(node.folder / out).glob("worker_*.log"))]
    seen = [set(re.findall(r"rank (\d) of ([\d,]+)", log)) for log in logs]
    return pd.read_csv(node.folder / out / "trials.csv"), seen


def test_trials_of_several_ranks_have_devices_of_their_own_and_come_to_the_same(node: Any) -> None:
    table, seen = trained(node, "two", "--workers", "auto")
    assert seen == [{("0", "4,5"), ("1", "4,5")}, {("0", "6,7"), ("1", "6,7")}]
    assert (table["state"] == "COMPLETE").all()
    assert (table["steps"] > _STEPS).all()  # rivals were trained beside the runs
    alone, seen = trained(node, "one", "--workers", 1)
    assert seen == [{("0", "4,5"), ("1", "4,5")}]
    same = [name for name in table.columns if "second" not in name and "time" not in name]
    pd.testing.assert_frame_equal(table[same], alone[same])


def test_more_trials_than_groups_of_devices_are_refused(node: Any) -> None:
    node.configure(_CONFIG | {"trainer/accelerator": "auto"})
    refused = node.run("tune", "tune.yaml", "--workers", 3, CUDA_VISIBLE_DEVICES=_DECLARED)
    assert refused.status == 2
    assert refused.err.splitlines() == [
        "autolr: error: tune.workers must be at most 2, for 4 devices are declared and a trial has "
        "2, got 3"
    ]


def test_a_dry_run_counts_devices_ranks_and_rivals(node: Any) -> None:
    command = ["tune", "tune.yaml", "--dry-run", "--workers", "auto"]
    said = " ".join(node.run(*command, CUDA_VISIBLE_DEVICES=_DECLARED).out.split())
    assert f"steps {4 * _STEPS} optimizer steps, as many as in 4 whole runs;" in said
    assert f"rivals beside the trials make at most {4 * _STEPS // 4} more" in said
    assert re.search(r"copies at most \d of a trial at a time", said)
    assert "on each of the 2 devices of a trial" in said
    assert "for 2 trials at a time" in said

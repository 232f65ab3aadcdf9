"""Studies of models whose checkpoints do not hold all that they train by."""

import json
from typing import Any

import pytest

pytestmark = pytest.mark.slow

GROWS = (  # noise that grows from epoch to epoch, in an attribute
    ("self.net(batch[0]), batch[1])", "self.net(batch[0] + self.noise), batch[1])"),
    (
        "    def validation_step",
        "    def on_train_epoch_end(self):\n        self.noise += 0.3\n\n    def validation_step",
    ),
    ("self.net = ", "self.noise = 0.0\n        self.net = "),
)
STREAMS = (("self.net = ", "self.stream = (i for i in range(9))\n        self.net = "),)


def values(project: Any, study: str) -> dict[float, float]:
    """Return the final value of each complete trial by its peak."""
    finished = project.run("show", study, "--storage", "sqlite:///runs.db", "--json")
    found: list[dict[str, Any]] = json.loads(finished.out)["trials"]
    return {t["params"]["lr"]: t["value"] for t in found if t["value"] is not None}


def test_a_promoted_trial_has_the_value_of_one_that_was_not_paused(project: Any) -> None:
    project.change_model(*GROWS)
    space = {"lr": [0.001, 0.003, 0.01, 0.03, 0.1, 0.3], "schedule": ["linear"]}
    paused = {"tune/space": space, "tune/trials": 6, "tune/study": "paused"}
    project.configure(paused)
    project.tune()
    project.configure({**paused, "tune/study": "straight", "tune/pruner": "none"})
    project.tune()
    promoted, straight = values(project, "paused"), values(project, "straight")
    assert 0 < len(promoted) < len(straight)
    assert promoted == {peak: straight[peak] for peak in promoted}


def test_what_a_promoted_trial_begins_anew_is_named_before_the_study(project: Any) -> None:
    project.change_model(*STREAMS)
    finished = project.tune()
    assert "warning: no checkpoint holds stream (generator)" in finished.out

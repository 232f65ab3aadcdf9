"""A project written for `pytorch_lightning`, from the study to the run of its best trial."""

from typing import Any

import pytest

OLD = ("lightning.pytorch", "pytorch_lightning")
STOPPING = {
    "class_path": "pytorch_lightning.callbacks.EarlyStopping",
    "init_args": {"monitor": "val_loss", "patience": 99},
}


@pytest.fixture
def old(project: Any) -> Any:
    """A project whose model and callbacks are of the other namespace."""
    project.change_model(OLD)
    space = {"lr": [0.003, 0.03], "rule": ["fixed", "dog"], "schedule": ["linear"]}
    project.configure({"trainer/callbacks": [STOPPING], "tune/space": space})
    return project


@pytest.mark.slow
def test_trials_are_paused_and_promoted_and_the_best_one_is_trained(old: Any) -> None:
    done = old.tune("--trials", 4)
    assert done.trained == [0, 1, 2, 3]
    assert "GPU available" not in done.out + done.err  # as quiet as with the other namespace
    best = "autolr_runs/line/best.yaml"
    fitted = old.run("fit", best, "--out", "fitted")
    assert fitted.status == 0, fitted.err
    script = old.folder / "train.py"
    script.write_text("from pytorch_lightning.cli import LightningCLI\n\nLightningCLI()\n")
    plain = old.run("fit", "-c", best, script="train.py")
    assert plain.status == 0, plain.err


def test_a_class_of_the_namespace_that_the_model_is_not_of_is_refused_in_a_line(old: Any) -> None:
    other = {"class_path": "lightning.pytorch.callbacks.LearningRateMonitor"}
    old.configure({"trainer/callbacks": [other]})
    refused = old.run("tune", "tune.yaml")
    assert refused.status == 2
    assert "trainer.callbacks" in refused.err
    assert "LearningRateMonitor" in refused.err
    assert len(refused.err.splitlines()) == 1

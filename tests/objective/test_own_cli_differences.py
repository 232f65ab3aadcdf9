"""Where a study of an own LightningCLI differs from what that CLI does."""

from pathlib import Path
from typing import Any

import pytest

from autolr import tune
from autolr.cli import main
from autolr.driver import Noted, StudyReady
from autolr.errors import ConfigError
from tests.objective.own_project import MAPPING, config


@pytest.mark.slow
def test_a_seed_left_to_lightning_is_the_one_that_lightning_takes_and_is_said(
    project: Any,
) -> None:
    lines: list[str] = []

    def listen(event: object) -> None:
        if isinstance(event, Noted):
            lines.append(event.line)

    given = config("own_project.main", seed_everything=True)
    (trial,) = tune(given, listener=listen).trials
    assert lines == ["seed_everything: true takes seed 0, the default of Lightning: a run repeats"]
    (again,) = tune({**given, "seed_everything": 0}, study="again").trials
    assert again.value == trial.value


@pytest.mark.slow
def test_a_checkpoint_to_go_on_from_is_for_fit_and_not_for_a_study(
    project: Any, tmp_path: Path
) -> None:
    given = config("own_project.main", ckpt_path="last.ckpt")
    with pytest.raises(ConfigError, match=r"ckpt_path must be null in a study, .* got 'last.ckpt'"):
        tune(given)
    tune(config("own_project.main"))
    best = tmp_path / "autolr_runs/autolr/best.yaml"
    assert main(["fit", str(best), "--out", "first"]) == 0
    (checkpoint,) = tmp_path.glob("first/**/last.ckpt")
    text = best.read_text() + f"ckpt_path: {checkpoint}\nweights_only: null\n"
    (tmp_path / "longer.yaml").write_text(text.replace("trainer:\n", "trainer:\n  max_epochs: 3\n"))
    assert main(["fit", "longer.yaml", "--out", "second"]) == 0
    assert project.SEEN[-1]["epochs"] == 3


@pytest.mark.slow
def test_what_a_study_does_not_do_as_the_cli_does_is_said_before_it_begins(project: Any) -> None:
    lines: list[str] = []

    def listen(event: object) -> None:
        if isinstance(event, StudyReady):
            lines.extend(event.warnings)

    given = config("own_project.DifferentCLI")
    del given["seed_everything"]
    tune(given, listener=listen)
    assert lines[:3] == [
        "DifferentCLI.fit and DifferentCLI.after_fit cannot be called: a study trains through "
        "Trainer.fit",
        "seed_everything is not in the config: a study takes 0, and not the 7 of DifferentCLI",
        "trainer.callbacks has a default in DifferentCLI, which the list in best.yaml replaces: "
        "write them into the config",
    ]
    lines.clear()
    tune(config("own_project.ClosedCLI"), study="same", listener=listen)
    assert lines == []


def test_several_devices_have_to_be_in_the_config(project: Any) -> None:
    defaults = {**MAPPING["init_args"]["trainer_defaults"], "devices": 2}
    cli = {**MAPPING, "init_args": {**MAPPING["init_args"], "trainer_defaults": defaults}}
    with pytest.raises(ConfigError, match=r"OwnCLI trains on 2 devices: write trainer: {devices:"):
        tune(config(cli))

"""Every YAML block of the README and the documents is the config of a study."""
# mypy: allow-untyped-calls

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from autolr.config import read_config
from tests.end_to_end.blocks import BLOCKS, ROOT, Block, inline, named

DIGITS = ROOT / "examples/digits"


def study_of(block: Block, folder: Path) -> Path:
    """Write a config of the digits with a block in its place, as it stands."""
    config = yaml.safe_load((DIGITS / "tune.yaml").read_text())
    shutil.copy(DIGITS / "digits.py", folder)
    config["trainer"]["max_epochs"] = 1
    if block.text.startswith("tune:"):
        section = yaml.safe_load(block.text)
        assert section.keys() == {"tune"}
        config |= section
    else:
        (folder / "space.yaml").write_text(block.text, "utf-8")
        config["tune"]["space"] = "space.yaml"
    file = folder / "block.yaml"
    file.write_text(yaml.safe_dump(config, sort_keys=False), "utf-8")
    return file


@named([block for block in BLOCKS if block.language == "yaml"])
def test_yaml_passes_the_check_before_a_study(block: Block, project: Any) -> None:
    file = study_of(block, project.folder)
    checked = project.run("tune", file.name, "--dry-run")
    assert (checked.status, checked.err) == (0, "")


@pytest.mark.parametrize(
    ("place", "setting"), [*inline("sampler: {"), *inline("sampler: QMC"), *inline("sampler: near")]
)
def test_a_sampler_in_the_text_passes_the_check_before_a_study(
    place: str, setting: str, project: Any
) -> None:
    shutil.copy(ROOT / "examples/extending/near_best_sampler.py", project.folder)
    space = {"lr": {"low": 0.1, "high": 1.0}}
    tune = {"space": space, "monitor": "val_loss", **yaml.safe_load(setting)}
    objective = {"class_path": "autolr.testing.counting.CountingObjective"}
    file = project.folder / "sampler.yaml"
    file.write_text(yaml.safe_dump({"objective": objective, "tune": tune}), "utf-8")
    checked = project.run("tune", file.name, "--dry-run")
    assert (checked.status, checked.err) == (0, "")


@pytest.mark.slow
@named([block for block in BLOCKS if block.language == "yaml"])
def test_yaml_trains(block: Block, project: Any) -> None:
    file = study_of(block, project.folder)
    finished = project.run("tune", file.name, "--trials", 4)
    assert (finished.status, finished.err) == (0, "")
    assert "4 of 4 trials finished" in finished.out


def test_the_sections_in_the_text_mean_that_of_the_example() -> None:
    sections = [block for block in BLOCKS if block.text.startswith("tune:")]
    example = yaml.safe_load((DIGITS / "tune.yaml").read_text())
    assert {block.file for block in sections} == {"README.md", "docs/studies.md"}
    for section in sections:
        shown = read_config({**example, **yaml.safe_load(section.text)}, folder=DIGITS)
        assert shown.tune == read_config(example, folder=DIGITS).tune

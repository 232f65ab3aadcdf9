"""Sections of a config that stand in files of their own."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from autolr.config import fingerprint, read_config
from autolr.errors import ConfigError

MODEL = {"class_path": "my.Model", "init_args": {"width": 8, "act": "act.yaml"}}
ACT = {"class_path": "torch.nn.LeakyReLU", "init_args": {"negative_slope": 0.3}}
TUNE = {"space": {"lr": [0.1, 0.01], "model.init_args.width": [4, 8]}}
CONFIG = {"trainer": "trainer.yaml", "model": "model.yaml", "data": "my.Data", "tune": TUNE}


def written(folder: Path, **files: Any) -> Path:
    """Write each file, as YAML, into a folder; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in files.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(value))
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return written(tmp_path / "conf", config=CONFIG, model=MODEL, act=ACT, trainer={"max_steps": 9})


def test_sections_in_files_are_the_config_that_has_them_inline(folder: Path) -> None:
    model = {"class_path": "my.Model", "init_args": {"width": 8, "act": ACT}}
    inline = {**CONFIG, "trainer": {"max_steps": 9}, "model": model}
    assert fingerprint(read_config(folder / "config.yaml")) == fingerprint(read_config(inline))


def test_files_are_relative_to_the_file_that_names_them(folder: Path) -> None:
    written(folder.parent, outer={**CONFIG, "trainer": {}, "model": "conf/model.yaml"})
    config = read_config(folder.parent / "outer.yaml")
    assert config.fit["model"]["init_args"]["act"] == ACT


def test_a_file_that_the_space_leads_through_is_read_where_the_parser_would_find_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    space = {"lr": [0.1], "model.init_args.act.init_args.negative_slope": [0.1, 0.2]}
    read = [read_config({**CONFIG, "tune": {"space": space}}), read_config(CONFIG)]
    acts = [config.fit["model"]["init_args"]["act"] for config in read]
    assert acts == [ACT, "act.yaml"]  # the parser knows whether an argument is a file of its own


def test_text_that_may_be_an_argument_stays(folder: Path) -> None:
    written(folder, labels={"cat": 0}, broken=["a", "list"])
    arguments = {"a": "labels.yaml", "b": "broken.yaml", "c": "no_such.yaml", "d": "x.yaml" * 99}
    config = read_config(
        {"model": {"class_path": "my.Model", "init_args": arguments}, "tune": TUNE}, folder=folder
    )
    assert config.fit["model"]["init_args"] == arguments


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("no_such.yaml", r"model: \S+/no_such.yaml: No such file or directory"),
        ("list.yaml", r"model: \S+/list.yaml must be a mapping of names to values, got \['a'\]"),
        ("loop.yaml", r"model.init_args: \S+/loop.yaml has itself inside"),
    ],
)
def test_a_section_whose_file_cannot_be_read_is_named(
    folder: Path, model: str, message: str
) -> None:
    written(folder, list=["a"], loop={"class_path": "my.Model", "init_args": "loop.yaml"})
    with pytest.raises(ConfigError, match=message):
        read_config({"model": model, "tune": TUNE}, folder=folder)


def test_arguments_of_an_objective_may_be_names_of_files(folder: Path) -> None:
    section = {"function": "my:train", "model": "model.yaml"}
    config = read_config({"objective": section, "tune": {"space": {"lr": [0.1]}}}, folder=folder)
    assert config.fit["objective"] == section

"""Advice that works wherever autolr came from."""

import re
import tomllib
from pathlib import Path

from autolr.extras import install_command

ROOT = Path(__file__).parents[1]


def optional_packages() -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras: dict[str, list[str]] = project["optional-dependencies"]
    listed = [line for name, lines in extras.items() if name != "dev" for line in lines]
    names = [re.split(r"[^\w.-]", line)[0] for line in listed]
    return [name for name in names if name != "lightning-autolr"]


def test_every_optional_package_is_installed_in_the_versions_that_are_supported() -> None:
    for package in optional_packages():
        assert re.fullmatch(rf"pip install '{package}(\[\w+\])?[<>].*'", install_command(package))


def test_no_advice_names_a_distribution_that_is_on_no_index() -> None:
    advised = re.compile(r"pip install[^\n`]*lightning-autolr|lightning-autolr\[")
    folders = ("autolr", "callbacks", "search_spaces", "examples")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*.*")]
    texts = [
        path for path in (*files, ROOT / "README.md") if path.suffix in (".py", ".md", ".yaml")
    ]
    assert [path for path in texts if advised.search(path.read_text())] == []
    assert len(texts) > 200

"""What has to say the same version."""

from pathlib import Path

import yaml

import autolr

ROOT = Path(__file__).parents[2]


def test_the_citation_is_of_this_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert citation["version"] == autolr.__version__
    needed = {"cff-version", "message", "title", "authors"}  # of the format 1.2.0
    assert needed <= citation.keys()
    assert all(author.keys() & {"name", "family-names"} for author in citation["authors"])


def test_the_changelog_begins_with_this_version() -> None:
    lines = (ROOT / "CHANGELOG.md").read_text("utf-8").splitlines()
    heads = [line.removeprefix("## ") for line in lines if line.startswith("## ")]
    assert autolr.__version__ in heads[:2]  # behind what is unreleased, if anything is

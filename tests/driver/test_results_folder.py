"""Whose a folder of results is."""

import json
from pathlib import Path

import pytest

from autolr import study
from autolr.config import read_config
from autolr.driver.results_folder import ResultsFolder
from autolr.errors import StorageError
from autolr.tune_config import TuneConfig


@pytest.fixture
def tune() -> TuneConfig:
    given = {"space": {"lr": [0.1]}, "study": "a", "storage": "postgresql://me:secret@host/db"}
    return read_config({"tune": given}).tune


def stored(owner: ResultsFolder) -> study.Summary:
    return study.Summary(owner.study, "minimize", {}, {study.ID: owner.id}, ())


def test_a_folder_belongs_to_the_study_that_claimed_it(tmp_path: Path, tune: TuneConfig) -> None:
    first = ResultsFolder.of(tune, None)
    first.check(tmp_path / "new")
    first.claim(tmp_path / "new")
    assert "secret" not in (tmp_path / "new/study.json").read_text()
    for other in (tune.override(study="b"), tune.override(storage="sqlite:///x.db")):
        with pytest.raises(StorageError, match="holds the results of study 'a' in postgresql://me"):
            ResultsFolder.of(other, None).claim(tmp_path / "new")
        renamed = ResultsFolder.of(other, stored(first))
        renamed.claim(tmp_path / "new")  # the same study under another name, or moved
        assert json.loads((tmp_path / "new/study.json").read_text())["storage"] == renamed.storage
        ResultsFolder.of(tune, stored(first)).claim(tmp_path / "new")
    anew = ResultsFolder.of(tune, None)
    anew.claim(tmp_path / "new")
    assert anew.id != first.id


def test_equal_urls_of_files_in_different_folders_are_two_storages(
    tmp_path: Path, tune: TuneConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        monkeypatch.chdir(folder)
        owner = ResultsFolder.of(tune.override(storage="sqlite:///runs.db"), None)
        if folder.name == "a":
            owner.claim(tmp_path)
    with pytest.raises(StorageError, match="give another out="):
        owner.check(tmp_path)


def test_a_file_of_that_name_that_is_not_ours_is_left_alone(
    tmp_path: Path, tune: TuneConfig
) -> None:
    (tmp_path / "study.json").write_text('{"mine": 1}')
    with pytest.raises(StorageError, match=r"study\.json does not say whose"):
        ResultsFolder.of(tune, None).claim(tmp_path)
    assert (tmp_path / "study.json").read_text() == '{"mine": 1}'

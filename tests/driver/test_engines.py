"""Which engine a name or a path stands for."""

import re
from pathlib import Path

import pytest

import autolr
from autolr.cli import main
from autolr.driver import Noted, engine_class
from autolr.driver.local import LocalEngine
from autolr.driver.remote_engine import RemoteEngine
from autolr.errors import ConfigError
from autolr.testing import EngineContract

COUNTING = {"class_path": "autolr.testing.counting.CountingObjective", "init_args": {"steps": 6}}


@pytest.mark.slow  # each worker imports torch and Lightning
class TestLocalEngine(EngineContract):
    @pytest.fixture
    def engine(self, tmp_path: Path) -> LocalEngine:
        return LocalEngine([None, None], tmp_path)


def test_a_name_or_a_path_is_an_engine() -> None:
    assert engine_class("local") is LocalEngine
    for path in ("autolr.driver.local.LocalEngine", "autolr.driver.local:LocalEngine"):
        assert engine_class(path) is LocalEngine


def test_the_former_name_is_accepted_with_a_line_that_has_the_new_one() -> None:
    notes: list[str] = []
    assert engine_class("open", notes.append) is RemoteEngine
    assert notes == ["tune.engine open is now called remote"]
    assert engine_class("remote", notes.append) is RemoteEngine
    assert len(notes) == 1


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "remot",
            "tune.engine: unknown engine 'remot'; did you mean 'remote'? It must be one of: ",
        ),
        ("no_such.Engine", "tune.engine must be the path of a class that can be imported"),
        ("autolr.driver.local.Nope", "tune.engine must be the path of a class"),
        ("autolr.config.read_config", "tune.engine must be an engine, a class with place"),
    ],
)
def test_an_engine_that_does_not_exist_is_refused_in_one_line(
    name: str,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("c.yaml").write_text("model: {class_path: none.Model}\n")
    with pytest.raises(ConfigError, match=re.escape(message)):
        engine_class(name)
    assert main(["tune", "c.yaml", "--engine", name]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_a_study_that_was_begun_with_the_former_name_is_continued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = {"objective": COUNTING, "tune": {"space": {"lr": [0.1, 0.01]}, "trials": 2}}
    assert autolr.tune(config, pruner="none").finished == 2
    events: list[object] = []
    again = autolr.tune(config, engine="open", pruner="none", listener=events.append)
    assert (again.trained, again.finished) == (0, 2)
    assert events == [Noted("tune.engine open is now called remote")]

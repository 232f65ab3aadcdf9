"""A stranger's engine: it passes the contract, and trains a study."""

from pathlib import Path

import pytest

import autolr
from autolr.testing import EngineContract
from examples.extending.threads_engine import ThreadsEngine

CONFIG = Path(__file__).parents[3] / "examples/extending/objective.yaml"


class TestThreadsEngine(EngineContract):
    @pytest.fixture
    def engine(self) -> ThreadsEngine:
        return ThreadsEngine(2)


@pytest.mark.parametrize("name", ["threads", "examples.extending.threads_engine:ThreadsEngine"])
def test_a_study_is_trained_by_threads(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    events: list[object] = []
    result = autolr.tune(CONFIG, engine=name, workers=2, trials=6, listener=events.append)
    assert (result.trained, result.finished, result.failed) == (6, 6, 0)

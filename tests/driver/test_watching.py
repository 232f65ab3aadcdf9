"""A study that is looked at while it is worked on."""

from pathlib import Path

import pytest

from autolr.cli import main
from autolr.driver.watching import watch
from autolr.study import Heartbeat, locked, open_study


def test_a_study_is_shown_when_it_changes_until_its_driver_leaves(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'runs.db'}"
    with locked(url, "line"):
        handle = open_study(url, "line")
        trial = handle.ask()
        heartbeat = Heartbeat(handle)
        heartbeat.renew()
        looks = watch(url, "line", every=0.01)
        assert str(next(looks)[0]).startswith("study 'line': 1 running;")
        handle.complete(trial, 0.5, {"steps": 3})
        assert str(next(looks)[0]).startswith("study 'line': 1 complete;")
        heartbeat.end()
        assert len(next(looks)) == 2  # no driver works on it
        assert next(looks, None) is None
        handle.close()


@pytest.mark.parametrize("words", [[], ["line", "--json"]])
def test_what_cannot_be_watched_is_refused(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["show", *words, "--watch"]) == 2
    assert "one STUDY as a table" in capsys.readouterr().err

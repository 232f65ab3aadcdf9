"""What `autolr doctor CONFIG` says of a config."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from autolr.cli import main
from autolr.driver import StudyEstimated, tune
from autolr.report import estimate_parts
from tests.end_to_end.conftest import CONFIG, MODEL


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.chdir(tmp_path)
    # a module of its own name: those of other tests stay in this process
    Path("doctored_line.py").write_text(MODEL, "utf-8")
    text = yaml.safe_dump(CONFIG).replace("line.", "doctored_line.")
    return dict(yaml.safe_load(text))


def examined(config: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Return the exit status, and what is said of the config."""
    Path("c.yaml").write_text(yaml.safe_dump(config), "utf-8")
    status = main(["doctor", "c.yaml"])
    return status, capsys.readouterr().out.partition("config c.yaml")[2]


def test_a_study_is_estimated_as_by_a_dry_run(config, capsys) -> None:
    status, out = examined(config, capsys)
    events: list[Any] = []
    tune("c.yaml", dry_run=True, listener=events.append)
    (estimate,) = (event.estimate for event in events if isinstance(event, StudyEstimated))
    assert status == 0
    assert "48 optimizer steps" in out
    for text in estimate_parts(estimate).values():
        assert text in " ".join(out.split())
    assert {path.name for path in Path().iterdir()} - {"__pycache__"} == {
        *("c.yaml", "doctored_line.py")
    }


def test_a_config_without_a_study_is_looked_at_as_one_run(config, capsys) -> None:
    del config["tune"]
    status, out = examined(config, capsys)
    assert status == 0
    assert "one run with AutoLR" in out
    assert "48 optimizer steps" in out
    assert "for the rivals that find its peak" in out


@pytest.mark.parametrize(
    ("section", "change", "words"),
    [
        ("tune", {"monitor": "val_lss"}, "did you mean 'val_loss'?"),
        ("tune", {"trials": -1}, "tune.trials must be"),
        ("trainer", {"max_epochs": -1}, "a run with an end"),
    ],
)
def test_what_is_refused_is_said_with_the_reason(config, capsys, section, change, words) -> None:
    config[section] |= change
    status, out = examined(config, capsys)
    assert status == 1
    assert words in out
    assert out.rstrip().endswith("1 thing is wrong")

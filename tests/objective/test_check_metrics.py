"""What is said before a study of the loggers of its runs, and of metrics that are never logged."""

from pathlib import Path
from typing import Any

import pytest

from autolr.config import read_config
from autolr.errors import ConfigError
from autolr.objective.check import check_lightning_run
from tests.objective.test_check import config as config


@pytest.mark.parametrize(
    ("logger", "said"),
    [
        ({"class_path": "CSVLogger", "init_args": {"sve_dir": "x"}}, r"logger\.init_args: .*sve_d"),
        ([True, {"class_path": "NoLogger"}], "logger"),
        (
            {"class_path": "Absent"},
            "logger: Absent needs absent-one or absent>=2, which is not inst",
        ),
    ],
)
def test_a_logger_that_cannot_be_made_is_refused_before_the_first_trial(
    config: dict[str, Any], tmp_path: Path, logger: Any, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lightning.pytorch.loggers import csv_logs
    from lightning_utilities.core.imports import RequirementCache

    made = type("Absent", (csv_logs.CSVLogger,), {"__module__": csv_logs.__name__})
    monkeypatch.setattr(csv_logs, "Absent", made, raising=False)
    if logger == {"class_path": "Absent"}:
        logger = {"class_path": f"{csv_logs.__name__}.Absent", "init_args": {"save_dir": "x"}}
        for name in ("absent-one", "absent>=2", "absent>=3"):
            monkeypatch.setattr(csv_logs, name, RequirementCache(name), raising=False)
    config["trainer"]["logger"] = logger
    with pytest.raises(ConfigError, match=rf"^trainer\.{said}"):
        check_lightning_run(read_config(config), tmp_path)


def test_a_logger_that_can_be_made_is_not_made(config: dict[str, Any], tmp_path: Path) -> None:
    config["trainer"]["logger"] = {"class_path": "CSVLogger", "init_args": {"save_dir": "logs"}}
    assert check_lightning_run(read_config(config), tmp_path).warnings == ()
    assert not Path("logs").exists()


@pytest.mark.parametrize(
    ("metric", "warned"), [("val/loss", True), ("val_loss", False), ("train_loss", False)]
)
@pytest.mark.parametrize("kind", ["EarlyStopping", "ModelCheckpoint"])
def test_a_callback_that_waits_for_a_metric_that_is_not_logged_is_warned_of(
    config: dict[str, Any], tmp_path: Path, kind: str, metric: str, warned: bool
) -> None:
    config["trainer"]["callbacks"] = [{"class_path": kind, "init_args": {"monitor": metric}}]
    warnings = check_lightning_run(read_config(config), tmp_path).warnings
    said = [line for line in warnings if line.startswith(f"{kind} waits for {metric}, and")]
    assert bool(said) == warned
    assert all("validation logs val_loss: unless" in line for line in said)


@pytest.mark.parametrize(("dirpath", "warned"), [("kept", True), (None, False)])
def test_a_folder_that_all_trials_would_write_to_is_warned_of(
    config: dict[str, Any], tmp_path: Path, dirpath: str | None, warned: bool
) -> None:
    settings = {} if dirpath is None else {"dirpath": str(tmp_path / dirpath)}
    config["trainer"]["callbacks"] = [{"class_path": "ModelCheckpoint", "init_args": settings}]
    warnings = check_lightning_run(read_config(config), tmp_path).warnings
    said = f"ModelCheckpoint has the dirpath {tmp_path / 'kept'}, in which all trials write: "
    assert any(line.startswith(said) for line in warnings) == warned
    assert warned or warnings == ()

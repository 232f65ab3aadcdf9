import pytest

from autolr.config import read_config
from autolr.driver.devices import own_share, per_trial, shared_out, visible
from autolr.driver.local import LocalEngine
from autolr.errors import ConfigError


@pytest.mark.parametrize(
    ("devices", "workers", "each", "expected"),
    [
        ("0,1,2,3", "auto", 1, ["0", "1", "2", "3"]),
        ("0,1,2,3", "auto", 2, ["0,1", "2,3"]),
        ("0,1,2", "auto", 2, ["0,1"]),
        ("0, 3", 1, 1, ["0"]),
        ("0,1", 4, 1, ["0", "1", "0", "1"]),  # shared
        ("GPU-8f,GPU-a1", 2, 1, ["GPU-8f", "GPU-a1"]),
        ("", "auto", 1, [None]),
        ("", 3, 2, [None, None, None]),  # processes on the CPU
    ],
)
def test_each_worker_has_devices_of_its_own_while_there_are_enough(
    monkeypatch: pytest.MonkeyPatch,
    devices: str,
    workers: int | str,
    each: int,
    expected: list[str | None],
) -> None:
    monkeypatch.setenv("AUTOLR_DEVICES", devices)
    assert shared_out(workers, each) == expected


def test_a_trial_that_needs_more_devices_than_there_are_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AUTOLR_DEVICES", "0,1")
    with pytest.raises(ConfigError, match=r"trainer\.devices must be at most 2"):
        shared_out(1, 4)


def test_our_own_variable_comes_before_cudas() -> None:
    assert visible({"AUTOLR_DEVICES": "2", "CUDA_VISIBLE_DEVICES": "0,1"}) == ["2"]
    assert visible({"CUDA_VISIBLE_DEVICES": "0,1"}) == ["0", "1"]


@pytest.mark.parametrize(
    ("devices", "launcher", "expected"),
    [
        ("0,1,2,3", {}, "0,1"),
        ("0,1,2,3", {"LOCAL_RANK": "1"}, "2,3"),
        ("0,1,2,3", {"SLURM_LOCALID": "1", "LOCAL_RANK": "0"}, "2,3"),
        ("6,7", {"LOCAL_RANK": "3"}, "6,7"),  # the launcher has shared out
        ("", {"LOCAL_RANK": "3"}, None),
    ],
)
def test_processes_that_a_launcher_started_share_the_devices_of_their_host(
    monkeypatch: pytest.MonkeyPatch,
    devices: str,
    launcher: dict[str, str],
    expected: str | None,
) -> None:
    monkeypatch.setenv("AUTOLR_DEVICES", devices)
    assert own_share(2, launcher) == expected


@pytest.mark.parametrize(
    ("trainer", "devices"),
    [({"devices": 4}, 4), ({"devices": [0, 1]}, 2), ({"devices": "auto"}, 1), ({}, 1), (None, 1)],
)
def test_how_many_devices_a_trial_needs_is_read_from_the_trainer(
    trainer: object, devices: int
) -> None:
    assert per_trial(trainer) == devices


@pytest.mark.parametrize(("devices", "shares"), [("2", ["2"]), ("2,3", ["2"]), ("", None)])
def test_one_worker_with_a_device_that_was_named_is_a_process_that_sees_it_alone(
    devices: str, shares: list[str] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTOLR_DEVICES", devices)
    engine = LocalEngine.place(read_config({"tune": {"space": {"lr": 0.1}}}))
    assert (None if engine is None else engine._devices) == shares

from pathlib import Path
from typing import Any

import pytest

import autolr
from autolr.config import Config, read_config
from autolr.driver.devices import (
    check_places,
    check_sharing,
    own_share,
    per_trial,
    shared_out,
    visible,
)
from autolr.driver.local import LocalEngine
from autolr.errors import ConfigError
from autolr.gpu_sharing import sharers


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
    assert own_share(2, environment=launcher) == expected


def test_workers_that_share_devices_are_spread_over_them_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AUTOLR_DEVICES", "4,6")
    assert shared_out("auto", 1, 2) == ["4", "6", "4", "6"]
    assert [own_share(1, 2, {"LOCAL_RANK": str(rank)}) for rank in range(4)] == list("4646")
    monkeypatch.setenv("AUTOLR_DEVICES", "")
    assert shared_out("auto", 1, 3) == [None]


def study(trainer: dict[str, Any], **tune: object) -> Config:
    return read_config({"trainer": trainer, "tune": {"space": {"lr": 0.1}, **tune}})


@pytest.mark.parametrize(
    ("devices", "trainer", "tune", "refusal"),
    [
        ("0,1", {"devices": 2}, {"trials_per_gpu": 2}, "trials_per_gpu must be 1, for a trial has"),
        (
            "0",
            {},
            {"workers": 2},
            "workers must be at most 1, for 1 device is declared and tune.tr",
        ),
        ("0,1", {}, {"workers": 5, "trials_per_gpu": 2}, "at most 4, for 2 devices are declared"),
        ("0,1,2", {"devices": 2}, {"workers": 2}, "at most 1, for 3 devices are declared and a tr"),
    ],
)
def test_what_the_declared_devices_have_no_place_for_is_refused_before_anything_is_opened(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    devices: str,
    trainer: dict[str, Any],
    tune: dict[str, Any],
    refusal: str,
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", devices)
    monkeypatch.chdir(tmp_path)
    config = {"trainer": trainer, "tune": {"space": {"lr": 0.1}, **tune}}
    for dry_run in (True, False):
        with pytest.raises(ConfigError) as raised:
            autolr.tune(config, dry_run=dry_run)
        assert refusal in str(raised.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("devices", "trainer", "tune"),
    [
        ("0,1", {}, {"workers": 4, "trials_per_gpu": 2}),
        ("0", {"accelerator": "cpu"}, {"workers": 4}),  # it declares no device that it uses
        ("", {}, {"workers": 4}),  # processes on the CPU
        ("0", {}, {"workers": "auto"}),
    ],
)
def test_what_fits_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, devices: str, trainer: dict[str, Any], tune: dict[str, Any]
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", devices)
    check_sharing(study(trainer, **tune))
    check_places(study(trainer, **tune))


@pytest.mark.parametrize(
    ("devices", "per_gpu", "expected"),
    [
        (["0", "1"], 1, [1, 1]),
        (["0", "1", "0"], 1, [2, 1, 2]),  # only those that are there
        ([None, None], 1, [1, 1]),  # they share no GPU
        ([None], 2, [2]),  # workers of Ray, which has chosen the device
    ],
)
def test_a_worker_knows_how_many_share_its_gpu(
    tmp_path: Path, devices: list[str | None], per_gpu: int, expected: list[int]
) -> None:
    engine = LocalEngine(devices, tmp_path, trials_per_gpu=per_gpu)
    assert [sharers(engine._environment(worker)) for worker in range(len(devices))] == expected


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

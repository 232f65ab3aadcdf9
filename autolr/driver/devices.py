"""Which devices there are, and which worker gets which; no torch needed."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from typing import Any

from autolr.config import Config
from autolr.counted import counted
from autolr.errors import ConfigError

_VARIABLE = "AUTOLR_DEVICES"  # "0,1": what to share out, as in CUDA_VISIBLE_DEVICES


def check_sharing(config: Config) -> None:
    """Refuse trials of several devices that shall share them.

    Raises:
        ConfigError: If ``tune.trials_per_gpu`` asks for that.
    """
    ranks, sharing = per_trial(config.fit.get("trainer")), config.tune.trials_per_gpu
    if ranks > 1 and sharing > 1:
        expected = f"1, for a trial has {ranks} devices to itself (trainer.devices)"
        raise ConfigError.of("tune.trials_per_gpu", sharing, expected)


def check_places(config: Config) -> None:
    """Refuse more workers than the devices that are declared have places for.

    Only trials that train on GPUs count: a Trainer may be set to the CPU, and what an objective
    of the user's trains on is not known.

    Raises:
        ConfigError: If ``CUDA_VISIBLE_DEVICES`` or ``AUTOLR_DEVICES`` lists too few.
    """
    workers, sharing = config.tune.workers, config.tune.trials_per_gpu
    trainer = config.fit.get("trainer")
    on_cpu = isinstance(trainer, Mapping) and trainer.get("accelerator") == "cpu"
    declared, ranks = len(_declared(os.environ) or ()), per_trial(trainer)
    most = declared // ranks * sharing
    if on_cpu or config.names_objective or not most or not isinstance(workers, int):
        return
    if workers > most:
        each = f"a trial has {ranks}" if ranks > 1 else f"tune.trials_per_gpu is {sharing}"
        are = "is" if declared == 1 else "are"
        expected = f"at most {most}, for {counted(declared, 'device')} {are} declared and {each}"
        raise ConfigError.of("tune.workers", workers, expected)


def shared_out(workers: int | str, per_trial: int, trials_per_gpu: int = 1) -> list[str | None]:
    """Return for each worker its value of ``CUDA_VISIBLE_DEVICES``; None: it is left as it is.

    Args:
        workers: How many; "auto": as many as there are devices for, at least one.
        per_trial: Devices that a trial needs. Workers share devices if there are too few.
        trials_per_gpu: How many trials a device is for, where "auto" counts them.

    Raises:
        ConfigError: If a trial needs more devices than there are.
    """
    devices = visible()
    if devices and per_trial > len(devices):
        expected = f"at most {len(devices)}, the devices that there are"
        raise ConfigError.of("trainer.devices", per_trial, expected)
    places = [
        ",".join(devices[i : i + per_trial])
        for i in range(0, len(devices) - per_trial + 1, per_trial)
    ]
    count = workers if isinstance(workers, int) else max(1, len(places) * trials_per_gpu)
    return [places[i % len(places)] if places else None for i in range(count)]


def own_share(
    per_trial: int, trials_per_gpu: int = 1, environment: Mapping[str, str] = os.environ
) -> str | None:
    """Return as `shared_out` what is for this process, if a launcher started several on this host.

    A launcher that gave each process devices of its own, as SLURM can, has them seen by no other.

    Args:
        per_trial: Devices that a trial needs.
        trials_per_gpu: How many trials a device is for.
        environment: Where the launcher's variables are read.

    Raises:
        ConfigError: If a trial needs more devices than there are.
    """
    places = shared_out("auto", per_trial if visible() else 1, trials_per_gpu)
    rank = int(environment.get("SLURM_LOCALID", environment.get("LOCAL_RANK", "0")))
    return places[rank % len(places)]


def visible(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Return the GPUs that this process may use, by the names that CUDA takes."""
    declared = _declared(environment)
    if declared is not None:
        return declared
    if shutil.which("nvidia-smi") is None:
        return []
    command = ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout.split() if done.returncode == 0 else []


def _declared(environment: Mapping[str, str]) -> list[str] | None:
    for name in (_VARIABLE, "CUDA_VISIBLE_DEVICES"):
        if name in environment:
            return [device.strip() for device in environment[name].split(",") if device.strip()]
    return None


def are_named(environment: Mapping[str, str] = os.environ) -> bool:
    """Return whether the user named devices in our own way, which CUDA does not see."""
    return bool(visible({_VARIABLE: environment.get(_VARIABLE, "")}))


def per_trial(trainer: object) -> int:
    """Return how many devices a Trainer with these arguments needs, as far as they say."""
    devices: Any = trainer.get("devices") if isinstance(trainer, Mapping) else None
    if isinstance(devices, list | tuple):
        return max(1, len(devices))
    return devices if isinstance(devices, int) and devices > 1 else 1

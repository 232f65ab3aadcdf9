"""Which devices there are, and which worker gets which; no torch needed."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from typing import Any

from autolr.errors import ConfigError

_VARIABLE = "AUTOLR_DEVICES"  # "0,1": what to share out, as in CUDA_VISIBLE_DEVICES


def shared_out(workers: int | str, per_trial: int) -> list[str | None]:
    """Return for each worker its value of ``CUDA_VISIBLE_DEVICES``; None: it is left as it is.

    Args:
        workers: How many; "auto": as many as there are devices for, at least one.
        per_trial: Devices that a trial needs. Workers share devices if there are too few.

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
    count = workers if isinstance(workers, int) else max(1, len(places))
    return [places[i % len(places)] if places else None for i in range(count)]


def own_share(per_trial: int, environment: Mapping[str, str] = os.environ) -> str | None:
    """Return as `shared_out` what is for this process, if a launcher started several on this host.

    A launcher that gave each process devices of its own, as SLURM can, has them seen by no other.

    Args:
        per_trial: Devices that a trial needs.
        environment: Where the launcher's variables are read.

    Raises:
        ConfigError: If a trial needs more devices than there are.
    """
    places = shared_out("auto", per_trial if visible() else 1)
    rank = int(environment.get("SLURM_LOCALID", environment.get("LOCAL_RANK", "0")))
    return places[rank % len(places)]


def visible(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Return the GPUs that this process may use, by the names that CUDA takes."""
    for name in (_VARIABLE, "CUDA_VISIBLE_DEVICES"):
        if name in environment:
            return [device.strip() for device in environment[name].split(",") if device.strip()]
    if shutil.which("nvidia-smi") is None:
        return []
    command = ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout.split() if done.returncode == 0 else []


def are_named(environment: Mapping[str, str] = os.environ) -> bool:
    """Return whether the user named devices in our own way, which CUDA does not see."""
    return bool(visible({_VARIABLE: environment.get(_VARIABLE, "")}))


def per_trial(trainer: object) -> int:
    """Return how many devices a Trainer with these arguments needs, as far as they say."""
    devices: Any = trainer.get("devices") if isinstance(trainer, Mapping) else None
    if isinstance(devices, list | tuple):
        return max(1, len(devices))
    return devices if isinstance(devices, int) and devices > 1 else 1

"""``autolr worker``: connects to a study's driver and trains what that sends."""

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from autolr.config import read_config
from autolr.driver.channel import Channel
from autolr.driver.devices import check_sharing, own_share, per_trial
from autolr.driver.discovery import Discovery
from autolr.driver.local import LocalEngine
from autolr.driver.messages import Done, Failed, FromWorker, LeaveTrial, Lost, StudyOver, TrainTrial
from autolr.driver.signals import PATIENCE, Shutdown, signals
from autolr.driver.wire import WireError
from autolr.errors import ConfigError
from autolr.objective import modules_of
from autolr.predicates import is_seconds

_LOOK_EVERY = 0.5  # seconds between looks at signals, and between attempts to find a driver
_log = logging.getLogger(__name__)
_LAUNCHERS = (  # what tells Lightning that this process is a rank of some run; a trial is not
    *("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "GROUP_RANK", "ROLE_RANK"),
    *("NODE_RANK", "MASTER_ADDR", "MASTER_PORT", "TORCHELASTIC_RUN_ID", "SLURM_NTASKS"),
)


def run_worker(
    config: str | Path | Mapping[str, Any],
    *,
    wait: float = 600.0,
    listener: Callable[[str], None] = lambda line: None,
    **settings: object,
) -> None:
    """Train for the driver of a study (``autolr tune --engine remote``) until it is complete.

    A file in the study's folder of results says where the driver is, which may start later or
    anew meanwhile. The settings say which folder that is; if they name a storage and no folder,
    the study in it does. A trial is trained in a process of its own, on the devices that this
    one may use; of those its share, if SLURM or torchrun started several on this host. At SIGTERM
    or SIGINT the trial writes a checkpoint and is handed back.

    Args:
        config: As the driver's, in the same folder.
        wait: Seconds to wait for a driver; 30 at most if the study was complete before.
        listener: Called with a line for each event.
        settings: As for `tune`; ``storage``, ``study`` and ``out`` say which folder.

    Raises:
        ConfigError: If a setting cannot work, no such study came up in the storage, or another user
            can write to the folder or to the file in it that says where the driver is.
        StorageError: If the storage cannot be read.
        AutoLRError: If no driver was there for that long.
    """
    if wait != 0 and not is_seconds(wait):
        raise ConfigError.of("wait", wait, "0 seconds or more")
    read = read_config(config)
    asks = settings.get("storage") is not None and settings.get("out") is None
    discovery = Discovery(read.tune.override(**settings), asks=asks, listener=listener)
    check_sharing(read)
    sharing = read.tune.trials_per_gpu
    device = own_share(per_trial(read.fit.get("trainer")), sharing)
    named = (os.environ.get(name) for name in ("SLURM_ARRAY_TASK_ID", "SLURM_PROCID", "RANK"))
    worker = int(next(filter(None, named), os.getpid()))  # names its log
    for name in _LAUNCHERS:
        os.environ.pop(name, None)
    listener(f"waiting for the driver {discovery}")
    with signals() as shutdown:
        end = time.monotonic() + wait
        while not shutdown.requested():
            connected = discovery.enter()
            if connected is None and (discovery.over or time.monotonic() >= end):
                break
            if connected is None:
                time.sleep(_LOOK_EVERY)
                continue
            channel, folder = connected
            listener("working")
            engine = LocalEngine({worker: device}, folder, modules_of(read), sharing)
            _Relay(channel, engine, worker).run(shutdown)
            end = time.monotonic() + wait
    if not shutdown.requested() and not discovery.complete:
        discovery.give_up(wait)
    listener("leaving" if shutdown.requested() else "the study is complete")


class _Relay:
    """Passes messages on between a driver and a worker of this host.

    Args:
        channel: To the driver.
        engine: Runs the worker.
        worker: Its number here.
    """

    def __init__(self, channel: Channel, engine: LocalEngine, worker: int) -> None:
        self._channel = channel
        self._engine = engine
        self._worker = worker
        self._closed = threading.Event()
        self._busy = False

    def run(self, shutdown: Shutdown) -> None:
        """Pass on until one of them is gone, or a signal came and the trial is handed back."""
        self._engine.start(self._worker)
        threading.Thread(target=self._listen, daemon=True).start()
        end = float("inf")
        try:
            while not self._closed.is_set() and time.monotonic() < end:
                messages = [message for _, message in self._engine.poll(_LOOK_EVERY)]
                if any(isinstance(message, Done | Failed | Lost) for message in messages):
                    self._busy = False
                if shutdown.requested() and not self._busy:
                    messages.append(Lost("it was shut down", own_fault=False))
                self._pass_on(messages)
                if shutdown.requested() and end == float("inf"):
                    self._engine.send(self._worker, LeaveTrial())
                    end = time.monotonic() + PATIENCE
        finally:
            self._engine.close()
            self._channel.close()

    def _pass_on(self, messages: list[FromWorker]) -> None:
        """Send messages in one go: the driver must have all of them before it sends more work."""
        try:
            if messages:
                self._channel.send(*messages)
            self._channel.flush()  # what was left over before
        except OSError:
            self._closed.set()
        if any(isinstance(message, Lost) for message in messages):
            self._closed.set()

    def _listen(self) -> None:
        try:
            for message in self._channel.messages():
                if isinstance(message, StudyOver):
                    break
                self._busy = self._busy or isinstance(message, TrainTrial)
                self._engine.send(self._worker, message)
        except WireError as error:
            _log.warning("the driver is left, what it sent is no message: %s", error)
        self._closed.set()

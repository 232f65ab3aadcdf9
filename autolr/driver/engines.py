"""Which engine runs the workers of a study."""

from collections.abc import Mapping, Sequence

from autolr.config import Config
from autolr.driver.devices import per_trial
from autolr.driver.engine import Engine
from autolr.driver.local import LocalEngine
from autolr.driver.ray_engine import RayEngine
from autolr.driver.remote_engine import RemoteEngine

_MANY = 256  # workers that may come, if there shall be as many as come


def engine_of(config: Config, devices: Sequence[str | None]) -> tuple[Engine, int]:
    """Return the engine that a config asks for, and how many workers it shall run.

    Args:
        config: The whole config.
        devices: What each worker gets, if they are processes of this machine.

    Raises:
        ConfigError: If the engine's package is not installed.
    """
    tune = config.tune
    if tune.engine == "local":
        return LocalEngine(devices, tune.folder), len(devices)
    if tune.engine == "open":
        seats = tune.workers if isinstance(tune.workers, int) else _MANY
        return RemoteEngine(tune.folder, tune.listen or ""), seats
    trainer = config.fit.get("trainer")
    on_cpu = isinstance(trainer, Mapping) and trainer.get("accelerator") == "cpu"
    engine = RayEngine(per_trial(trainer), not on_cpu, tune.folder)
    return engine, tune.workers if isinstance(tune.workers, int) else engine.places

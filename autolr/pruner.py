"""How trials are stopped early: the setting `tune.pruner`."""

from collections.abc import Mapping
from dataclasses import dataclass

from autolr.config_checks import check, check_keys
from autolr.predicates import is_whole, whole


@dataclass(frozen=True, slots=True)
class Pruner:
    """How trials are stopped early.

    Args:
        name: "hyperband" or "none".
        eta: One in ``eta`` trials is promoted at a rung; at least 2. The default, 3, is the
            paper's.
        min_steps: Optimizer steps before the first rung; None: derived from the run's length.
        pause: Whether a trial that is not promoted is paused with a checkpoint at its rung, so
            that it may be promoted later; else it is pruned.
    """

    name: str = "hyperband"
    eta: int = 3
    min_steps: int | None = None
    pause: bool = True

    def __post_init__(self) -> None:
        check("tune.pruner", self.name, "hyperband or none", self.name in ("hyperband", "none"))
        check("tune.pruner.eta", self.eta, whole(self.eta, 2), is_whole(self.eta, 2))
        fits = self.min_steps is None or is_whole(self.min_steps, 1)
        check("tune.pruner.min_steps", self.min_steps, f"{whole(self.min_steps, 1)}, or null", fits)
        check("tune.pruner.pause", self.pause, "true or false", isinstance(self.pause, bool))


def parse_pruner(value: object) -> Pruner:
    """Return the pruner that a config names, or describes as a mapping.

    Raises:
        ConfigError: If a key is unknown or a value cannot work.
    """
    if isinstance(value, Pruner):
        return value
    fields = value if isinstance(value, Mapping) else {"name": value}
    check_keys("tune.pruner", fields, Pruner)
    return Pruner(**fields)


DEFAULT_PRUNER: Pruner = Pruner()  # where the config names none

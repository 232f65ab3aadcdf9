"""When a study ends though it has not all its trials: the setting `tune.stop`."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec

from autolr.config_checks import check, check_keys
from autolr.errors import ConfigError
from autolr.extras import install_command
from autolr.predicates import is_number, is_whole, whole

_LARGEST = 1e300  # of an improvement; no score is that far from another


@dataclass(frozen=True, slots=True)
class Stop:
    """End a study whose last trials improved its best score too little, or whose next ones will.

    Args:
        patience: How many trials in a row have to improve it too little. Trials that ended or wait
            at a rung count, in the order in which they were started last; failed ones do not. None:
            that is not asked.
        improvement: The best score of all has to be better than the best one before these trials by
            more than that, in the monitor's unit. 0: any improvement counts.
        regret: End when the best candidate of the space is expected to be better than the best
            trial by less than that, in the monitor's unit; asked from 20 complete trials on. None:
            that is not asked.
    """

    patience: int | None = None
    improvement: float = 0.0
    regret: float | None = None

    def __post_init__(self) -> None:
        if self.patience is not None:
            fits = is_whole(self.patience, 1)
            check("tune.stop.patience", self.patience, whole(self.patience, 1), fits)
        fits = is_number(self.improvement) and 0 <= self.improvement <= _LARGEST
        check("tune.stop.improvement", self.improvement, "a number of at least 0", fits)
        if self.regret is not None:
            fits = is_number(self.regret) and 0 < self.regret <= _LARGEST
            check("tune.stop.regret", self.regret, "a number above 0", fits)


def parse_stop(value: object) -> Stop | None:
    """Return the condition that a config has, as a mapping; None: there is none.

    Raises:
        ConfigError: If a key is unknown or missing, a value cannot work, or a package is missing.
    """
    if value is None or isinstance(value, Stop):
        return value
    fields = value if isinstance(value, Mapping) else {}
    check_keys("tune.stop", fields, Stop)
    fits = "patience" in fields or (fields.keys() == {"regret"})
    check("tune.stop", value, "a mapping such as {patience: 20} or {regret: 0.001}, or null", fits)
    if fields.get("regret") is not None and find_spec("scipy") is None:
        raise ConfigError(f"tune.stop.regret needs scipy: {install_command('scipy')}")
    return Stop(**fields)

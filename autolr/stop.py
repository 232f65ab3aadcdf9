"""When a study ends though it has not all its trials: the setting `tune.stop`."""

from collections.abc import Mapping
from dataclasses import dataclass

from autolr.config_checks import check, check_keys
from autolr.predicates import is_number, is_whole, whole

_LARGEST = 1e300  # of an improvement; no score is that far from another


@dataclass(frozen=True, slots=True)
class Stop:
    """End a study whose last trials improved its best score too little.

    Args:
        patience: How many trials in a row have to improve it too little. Trials that ended or wait
            at a rung count, in the order in which they were started last; failed ones do not.
        improvement: The best score of all has to be better than the best one before these trials by
            more than that, in the monitor's unit. 0: any improvement counts.
    """

    patience: int
    improvement: float = 0.0

    def __post_init__(self) -> None:
        fits = is_whole(self.patience, 1)
        check("tune.stop.patience", self.patience, whole(self.patience, 1), fits)
        fits = is_number(self.improvement) and 0 <= self.improvement <= _LARGEST
        check("tune.stop.improvement", self.improvement, "a number of at least 0", fits)


def parse_stop(value: object) -> Stop | None:
    """Return the condition that a config has, as a mapping; None: there is none.

    Raises:
        ConfigError: If a key is unknown or missing, or a value cannot work.
    """
    if value is None or isinstance(value, Stop):
        return value
    fields = value if isinstance(value, Mapping) else {}
    check_keys("tune.stop", fields, Stop)
    check("tune.stop", value, "a mapping such as {patience: 20}, or null", "patience" in fields)
    return Stop(**fields)

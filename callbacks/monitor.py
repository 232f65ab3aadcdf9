"""The metric that scores a probe."""

from typing import TYPE_CHECKING

from autolr.callbacks.namespaces import (
    rank_zero_warn,
)
from autolr.direction import mode_of
from autolr.errors import ConfigError, nearest
from autolr.online.monitor import Monitor

if TYPE_CHECKING:
    from autolr.callbacks.validation import ValidationPass


def check_monitor(validation: "ValidationPass", monitor: str) -> None:
    """Refuse a metric that the validation loop does not log; as a rule one batch of it is run.

    Args:
        validation: The validation of the run.
        monitor: The name of the metric.

    Raises:
        ConfigError: With the metrics that are logged.
    """
    logged = validation.find(monitor)
    if monitor not in logged:
        names = ", ".join(logged) or "(it logs nothing)"
        where = " on every rank" if validation.ranks.size > 1 else ""
        near = nearest(monitor, logged)
        hint = "" if near is None else f"; did you mean {near!r}?"
        expected = f"a metric that validation logs{where}: {names}"
        raise ConfigError(f"{ConfigError.of('monitor', monitor, expected)}{hint}")


def scoring(
    validation: "ValidationPass", monitor: str, mode: str | None, *, by_loss: bool = False
) -> Monitor:
    """Return the metric that scores a probe; without validation the training loss, with a warning.

    Args:
        validation: The validation of the run.
        monitor: The name of the metric.
        mode: Whether lower ("min") or higher ("max") is better; None: what its name says.
        by_loss: Whether it is the training loss whatever validation logs.

    Raises:
        ConfigError: As `check_monitor` and `mode_of`.
    """
    if by_loss:
        return Monitor("training loss")
    if validation.exists:
        check_monitor(validation, monitor)
        return Monitor(monitor, mode_of(monitor, mode))
    rank_zero_warn("AutoLR: no validation loop, so the training loss scores the probes")
    return Monitor("training loss")

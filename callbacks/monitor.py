"""The metric that scores a probe."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from autolr.callbacks.namespaces import (
    Trainer,
    rank_zero_warn,
)
from autolr.direction import mode_of, named_mode
from autolr.errors import ConfigError, MonitorError, nearest
from autolr.online.monitor import Monitor
from autolr.predicates import is_text

TRAINING_LOSS = "training loss"
"""The name of the monitor where no metric of validation is compared."""

if TYPE_CHECKING:
    from autolr.callbacks.step_pattern import Pattern
    from autolr.callbacks.validation import ValidationPass
    from autolr.online.settings import SearchSettings


def check_no_metric(strategy: object) -> None:
    """Refuse the name of a metric in the place of a strategy, which is the first argument.

    Args:
        strategy: What `AutoLR` was given as one.

    Raises:
        ConfigError: If its name is that of a metric.
    """
    if not isinstance(strategy, str):
        return
    if named_mode(strategy) is not None or strategy.startswith(("val", "train")):
        raise ConfigError(
            f"strategy, the first argument, is {strategy!r}, and that is the name of a metric: "
            f"write monitor={strategy!r}"
        )


def check_named(monitor: object) -> None:
    """Refuse what cannot be the name of a metric; None stands for the usual one.

    Args:
        monitor: What `AutoLR` was given.

    Raises:
        ConfigError: If it is no name.
    """
    if monitor is not None and not is_text(monitor):
        raise ConfigError.of("monitor", monitor, "the name of a metric that validation logs")


def check_monitor(validation: "ValidationPass", monitor: str) -> None:
    """Refuse a metric that the validation loop does not log; as a rule one batch of it is run.

    Args:
        validation: The validation of the run.
        monitor: The name of the metric.

    Raises:
        MonitorError: With the metrics that are logged.
    """
    logged = validation.find(monitor)
    if monitor not in logged:
        where = " on every rank" if validation.ranks.size > 1 else ""
        raise _missing(monitor, logged, where)


def check_comparable(trainer: Trainer, given: str | None, settings: "SearchSettings") -> None:
    """Refuse to compare runs of several optimizers by a loss that nobody has named.

    Args:
        trainer: A trainer that has begun to fit.
        given: The name of the metric, as the user gave it.
        settings: What else he has set; a strategy may compare training losses.

    Raises:
        ConfigError: If there are several, and it is not given, or training losses would count.
    """
    if (count := len(trainer.optimizers)) < 2:
        return
    why = f"the module has {count} optimizers, whose losses may work against each other"
    if settings.searcher.rewinds:
        raise ConfigError(f"{why}: a strategy that compares training losses needs one optimizer")
    if not trainer.enable_validation:
        raise ConfigError(
            f"{why}: AutoLR needs a validation that logs how good the whole model is, and its name "
            "as monitor"
        )
    if given is None:
        raise ConfigError(
            f"monitor is not given, and {why}: name what validation logs of the whole model, such "
            "as AutoLR(monitor='val_distance', mode='min'), or AutoLR(monitor='val_loss') where "
            "all optimizers lower one loss"
        )


def check_losses(monitor: Monitor, pattern: "Pattern") -> None:
    """Refuse to compare training losses that a module does not return.

    Args:
        monitor: What scores a state.
        pattern: What a copy of the run has shown.

    Raises:
        ConfigError: If so.
    """
    if monitor.name == TRAINING_LOSS and pattern.returns_loss is False:
        raise ConfigError(
            "training losses are compared where there is no validation or the strategy says so, "
            "and this training_step returns none: return the loss, or log a metric in validation "
            "and name it as monitor"
        )


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
        MonitorError: As `check_monitor`.
        ConfigError: As `mode_of`.
    """
    if by_loss:
        return Monitor(TRAINING_LOSS)
    if validation.exists:
        check_monitor(validation, monitor)
        return Monitor(monitor, mode_of(monitor, mode))
    rank_zero_warn("AutoLR: no validation loop, so the training loss scores the probes")
    return Monitor(TRAINING_LOSS)


def unchecked(
    trainer: Trainer, monitor: str, mode: str | None
) -> "tuple[Monitor, UncheckedMonitor | None]":
    """Return the monitor of a run in which nothing is scored, and what checks it on the way.

    Args:
        trainer: A trainer that has begun to fit.
        monitor: The name of the metric.
        mode: See `scoring`.

    Raises:
        ConfigError: As `mode_of`.
    """
    if not trainer.enable_validation:
        return Monitor(TRAINING_LOSS), None
    return Monitor(monitor, mode_of(monitor, mode)), UncheckedMonitor(monitor)


class UncheckedMonitor:
    """A monitor that no pass has looked for: the run's own validation shows whether it is logged.

    Args:
        name: The name of the metric.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._logged: dict[str, None] = {}
        self._validated = False

    def observe(self, trainer: Trainer) -> None:
        """Note what a validation of the run has logged, but for the sanity check.

        Args:
            trainer: The trainer, at the end of its validation loop.
        """
        if not trainer.sanity_checking:
            self._validated = True
            self._logged |= dict.fromkeys(trainer._logger_connector.metrics["callback"])

    def warn(self) -> None:
        """Warn at the end of the run if validation was made, and never logged the metric."""
        if self._validated and self._name not in self._logged:
            error = _missing(self._name, sorted(self._logged))
            rank_zero_warn(f"AutoLR: a longer run would be refused: {error}")


def _missing(monitor: str, logged: Sequence[str], where: str = "") -> MonitorError:
    """Return the error for a metric that validation does not log."""
    names = ", ".join(logged) or "(it logs nothing)"
    near = nearest(monitor, logged)
    hint = "" if near is None else f"; did you mean {near!r}?"
    expected = f"a metric that validation logs{where}: {names}"
    return MonitorError(f"{ConfigError.of('monitor', monitor, expected)}{hint}")

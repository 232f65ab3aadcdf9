"""The callbacks that set a trial's rate where its space leaves the schedule to the module."""

from dataclasses import replace
from typing import Any

from typing_extensions import override

from autolr import schedules
from autolr.callbacks.candidate import FollowCandidate
from autolr.callbacks.namespaces import LightningModule, Trainer
from autolr.callbacks.online import AutoLR
from autolr.callbacks.own_schedulers import OwnRates
from autolr.callbacks.run_length import RunLength
from autolr.callbacks.step_count import StepCount
from autolr.online.prior_peak import PriorPeak


class KeepsShape:
    """A callback that sets the rate and leaves the shape to the module's own scheduler."""

    _own_peak: float | None

    @property
    def own_peak(self) -> float | None:
        """The peak of the module's own scheduler; None without one, or before training."""
        return self._own_peak


class FollowPeak(KeepsShape, FollowCandidate):
    """As `FollowCandidate`; the shape is that of the module's own scheduler, if it has one."""

    @property
    @override
    def state_key(self) -> str:
        return FollowCandidate.__qualname__  # either may resume what the other one began

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.lr_scheduler_configs:
            if self._own_peak is None:
                self._own_peak = _own_peak(trainer, pl_module)
            self._candidate = replace(self._candidate, schedule=schedules.constant())
        super().on_train_start(trainer, pl_module)

    @override
    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "own_peak": self._own_peak}

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        self._own_peak = state_dict.get("own_peak")


class SearchTrial(AutoLR):
    """As `AutoLR`, in the run of a trial, for which the study may know a peak.

    Args:
        near: The peak of an earlier search, around which this one begins; None: none is known.
        settings: See `AutoLR`.
    """

    def __init__(self, near: PriorPeak | None, **settings: Any) -> None:
        super().__init__(**settings)
        self._settings = replace(self._settings, prior=near)

    @property
    @override
    def state_key(self) -> str:
        return AutoLR.__qualname__


class SearchPeak(KeepsShape, SearchTrial):
    """As `SearchTrial`; its schedule is for a module without a scheduler of its own."""

    @override
    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.lr_scheduler_configs:
            self._settings = replace(self._settings, schedule=None)
        super().on_fit_start(trainer, pl_module)


def _own_peak(trainer: Trainer, module: LightningModule) -> float | None:
    count = StepCount(trainer)
    try:
        steps = RunLength(trainer, "autolr tune", count).steps
    finally:
        count.close()
    own = OwnRates.of(trainer, module, steps)
    return None if own is None else own.peak

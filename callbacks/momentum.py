"""Cycle the momentum against the rate."""

from collections.abc import Mapping
from typing import Any

from typing_extensions import override

from autolr import schedules
from autolr.callbacks.namespaces import STEP_OUTPUT, Callback, LightningModule, Trainer
from autolr.callbacks.run_length import RunLength
from autolr.callbacks.step_count import StepCount, has_begun
from autolr.runtime.momentum import check_momentum, set_momentum
from autolr.schedules import Momentum, Schedule


class CycleMomentum(Callback):
    """Set the momentum of every step against the rate: low where the rate is high.

    It is ``momentum`` of SGD and the first of the ``betas`` of Adam, in all groups of all
    optimizers. Beside `FollowCandidate` or `AutoLR` with the same schedule it completes the
    one-cycle policy; neither cycles the momentum by itself. Rivals of a search train with the
    momentum of the run. After the run the momentum of its last step stays.

    Args:
        schedule: ``onecycle`` or ``clr``: a `Schedule`, the name, or a mapping with settings.
        low: Momentum at the peak of the rate.
        high: Momentum at the lowest rate.

    Raises:
        ConfigError: If a value cannot work.
        UnsupportedError: If the schedule is another one; before the first training step, if an
            optimizer has no momentum or the run has no end.

    Source: Smith & Topin 2018, arXiv:1708.07120; see `autolr.schedules.Momentum`.
    """

    def __init__(
        self,
        schedule: str | Mapping[str, Any] | Schedule = "onecycle",
        low: float = 0.85,
        high: float = 0.95,
    ) -> None:
        self._momentum = Momentum(schedules.parse(schedule), low, high)
        self._length: RunLength | None = None
        self._stored: Mapping[str, int] | None = None  # steps of the run that is resumed

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        for optimizer in trainer.optimizers:
            check_momentum(optimizer)
        stored = self._stored if has_begun(trainer) else None
        self._length = RunLength(trainer, "CycleMomentum", StepCount(trainer, stored))
        self._set(trainer, self._length)

    @override
    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        assert self._length is not None
        if batch_idx == 0:
            self._length.count.begin_epoch()
        if self._length.renew(trainer, batch_idx, [self._momentum.schedule]):
            self._set(trainer, self._length)
        self._length.count.begin_batch()

    @override
    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: STEP_OUTPUT,
        batch: Any,
        batch_idx: int,
    ) -> None:
        assert self._length is not None
        if batch is not None:  # Lightning skips a batch of None: nothing was trained
            self._length.count.end_batch()
            self._set(trainer, self._length)  # at once: it stands when other callbacks look

    @override
    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._length is not None:
            self._stored = self._length.count.state_dict()
            self._length.count.close()

    @override
    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        self.on_train_end(trainer, pl_module)

    @override
    def state_dict(self) -> dict[str, Any]:
        count = None if self._length is None else self._length.count.state_dict()
        return {"steps": count}

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._stored = state_dict.get("steps")

    def _set(self, trainer: Trainer, length: RunLength) -> None:
        made, steps = length.count.made, length.steps
        if made >= steps:  # after the last step its momentum stays
            return
        for optimizer in trainer.optimizers:
            set_momentum(optimizer, self._momentum.at(made, steps))

"""The rates of a run's optimizer in a Trainer: between steps, in checkpoints, for schedulers."""

from contextlib import ExitStack
from typing import Any

from typing_extensions import override

from autolr.callbacks.handover import Handover
from autolr.callbacks.namespaces import (
    BaseFinetuning,
    Callback,
    LightningModule,
    Trainer,
    either,
    rank_zero_warn,
)
from autolr.callbacks.own_steps import stepping_own_rates
from autolr.callbacks.step_count import has_begun, is_manual
from autolr.runtime.dead_rates import sets_its_rate
from autolr.runtime.joint_optimizer import JointOptimizer
from autolr.runtime.optimizer_peaks import rates_by_name
from autolr.runtime.rates import Rates, make_plain, resume


class RateHost(Callback):
    """Sets the rate of each step, up to a `StochasticWeightAveraging`; it stands between steps.

    A subclass calls `_attach` as training starts and has `_factor`.
    """

    _rates: Rates | None = None
    _handover = Handover()
    _stored_rates: dict[str, Any] | None = None  # of a checkpoint, or of a run that ended
    _own_rates: tuple[tuple[str, float], ...] = ()  # of several optimizers, each with its name
    _warned = False
    _leave: ExitStack  # what is undone as training ends

    @override
    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        super().on_save_checkpoint(trainer, pl_module, checkpoint)
        make_plain(checkpoint)  # hyper-parameters too, or an optimizer around another one

    def _factor(self, trainer: Trainer) -> float:
        """Return the factor of the run's own rates at the next step."""
        raise NotImplementedError

    def _apply(self, trainer: Trainer) -> None:
        """Have the rate of the next step stand in the optimizer."""
        assert self._rates is not None
        self._rates.factor = 1.0 if self._handover.done else self._due_factor(trainer)

    def _hand_over(self, trainer: Trainer) -> None:
        """Leave the rates to `StochasticWeightAveraging` from the next step on."""
        assert self._rates is not None
        self._handover.hand_over(trainer, self._rates, self._due_factor(trainer))

    def _due_factor(self, trainer: Trainer) -> float:
        """Return the factor of the next step; 1 for an optimizer that sets its own rate."""
        assert self._rates is not None
        return self._factor(trainer) if self._rates.set_by_step is None else 1.0

    def _attach(self, trainer: Trainer, base: float | None) -> Rates:
        """Attach the rates; a run that is resumed gets its own ones back first.

        Args:
            trainer: The trainer.
            base: See `Rates`.
        """
        optimizer = JointOptimizer.of(trainer.optimizers)
        stored = self._stored_rates if has_begun(trainer) else None
        self._stored_rates, self._warned, self._leave = None, False, ExitStack()
        if stored is not None:
            resume(optimizer, stored["groups"])
            base = stored["base"] if base is None else base
        self._rates = Rates.of(optimizer, base)
        self._own_rates = rates_by_name(optimizer)
        _give_own_rates(trainer, self._rates, self._leave)
        return self._rates

    def _detach(self) -> None:
        if self._rates is None:
            return
        self._stored_rates = self._rates_state()  # a checkpoint may still be written
        self._leave.close()
        self._rates.detach(keep=True)
        self._rates = None

    def _rates_state(self) -> dict[str, Any] | None:
        """Return the own rates and those applied, for a checkpoint."""
        if self._rates is None:
            return self._stored_rates
        return {"base": self._rates.base, "groups": self._rates.pairs}

    def _warn_of_writers(self, who: str) -> None:
        """Warn once where other code writes the rate, or the optimizer itself.

        Args:
            who: Our callback, for the message.
        """
        if self._rates is None or self._warned:
            return
        if (rate := self._rates.set_by_step) is not None:
            self._warned = True
            what = sets_its_rate(self._rates.optimizer, rate)
            rank_zero_warn(f"{who}: {what}: the run keeps the rates of its optimizer")
            return
        if self._rates.written is None:
            return
        self._warned = True
        before, after = self._rates.written
        rank_zero_warn(
            f"{who}: the module or another callback writes the optimizer's rate itself "
            f"({before:.3g}, then {after:.3g}): what it writes is multiplied by peak / "
            f"{self._rates.base:.3g} and by the schedule; {who} with the schedule 'constant' keeps "
            "the shape that is written"
        )


def _give_own_rates(trainer: Trainer, rates: Rates, leave: ExitStack) -> None:
    """Have schedulers and fine-tuning callbacks compute with the own rates.

    Many compute the next rate from the present one, or that of a group that joins. All schedulers
    step in one method of the Trainer, also where a module overrides ``lr_scheduler_step``; with
    manual optimization the module steps each itself.
    """
    if is_manual(trainer):
        for config in trainer.lr_scheduler_configs:
            leave.enter_context(stepping_own_rates(config.scheduler, rates))
    _wrap(trainer.fit_loop.epoch_loop, "update_lr_schedulers", rates, leave)
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if isinstance(callback, either(BaseFinetuning)):
            _wrap(callback, "finetune_function", rates, leave)


def _wrap(owner: Any, name: str, rates: Rates, leave: ExitStack) -> None:
    """Have the own rates in place in a method of an object, until ``leave`` is closed."""
    before, method = vars(owner).get(name), getattr(owner, name)

    def with_own_rates(*args: Any, **kwargs: Any) -> None:
        with rates.own_in_place():
            method(*args, **kwargs)

    setattr(owner, name, with_own_rates)
    if before is None:
        leave.callback(delattr, owner, name)
    else:
        leave.callback(setattr, owner, name, before)

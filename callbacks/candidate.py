"""Train with a known peak and schedule."""

from collections.abc import Mapping
from typing import Any

from typing_extensions import override

from autolr import schedules
from autolr.callbacks.early_end import warn_of_early_stoppers, warn_of_end
from autolr.callbacks.handover import Handover
from autolr.callbacks.namespaces import Callback, LightningModule, Trainer, rank_zero_warn
from autolr.callbacks.requirements import check_alone, check_rates
from autolr.callbacks.run_length import RunLength, reloads
from autolr.candidate import Candidate
from autolr.errors import ConfigError
from autolr.predicates import is_number
from autolr.runtime.rates import Rates
from autolr.schedules import Schedule


class FollowCandidate(Callback):
    """Set the rate of every step to peak x schedule.

    The optimizer's own rate only says how the rates of its groups relate: the group with the
    highest one gets ``peak``. It stays as it is, the product is applied around each step, up to
    where a `StochasticWeightAveraging` begins to anneal the rate to its own. The schedule is laid
    out over the whole run: anew where the epochs turn out to have other lengths, or where a run is
    resumed for longer, each with a line that says so.

    Args:
        peak: The rate at which the schedule's multiplier is 1.
        schedule: A `Schedule`, the name of a profile, or a mapping as in ``schedule.json``.

    Raises:
        ConfigError: If a value cannot work; before the first training step, if another callback
            sets the rate too.
        UnsupportedError: Before the first training step, if the module has no single optimizer of
            its own, or a scheduler, or if the run has no end.
    """

    def __init__(self, peak: float, schedule: str | Mapping[str, Any] | Schedule) -> None:
        if not (is_number(peak) and 0 < peak < float("inf")):
            raise ConfigError.of("peak", peak, "a positive number")
        self._candidate = Candidate(peak=peak, schedule=schedules.parse(schedule))
        self._length: RunLength | None = None
        self._begun_for: int | None = None  # the steps of the run that is resumed
        self._rates: Rates | None = None
        self._handover = Handover()

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        check_alone(trainer, (FollowCandidate,))
        check_rates(trainer, pl_module, "FollowCandidate")
        self._length = RunLength(trainer, "FollowCandidate")
        warn_of_early_stoppers(trainer, "FollowCandidate", self._length.steps)
        self._rates = Rates.of(trainer.optimizers[0])
        self._handover = Handover(trainer)
        self._warn_of_length(trainer, self._length.steps)

    @override
    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._handover.is_due(trainer):
            self._handover.hand_over(trainer, self._factor(trainer))

    @override
    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        assert self._rates is not None
        assert self._length is not None
        if batch_idx == 0:
            self._length.renew(trainer)
        self._rates.factor = 1.0 if self._handover.done else self._factor(trainer)

    @override
    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert self._length is not None
        warn_of_end(trainer, "FollowCandidate", self._length.steps)
        self._release()

    @override
    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        self._release()

    @override
    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:  # a Trainer refuses two callbacks with a state_dict, in words of its own
        if self._length is not None:
            checkpoint["autolr_total_steps"] = self._length.steps

    @override
    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: Mapping[str, Any]
    ) -> None:
        self._begun_for = checkpoint.get("autolr_total_steps")

    def _factor(self, trainer: Trainer) -> float:
        assert self._rates is not None
        assert self._length is not None
        return self._rates.factor_of(self._candidate, trainer.global_step, self._length.steps)

    def _warn_of_length(self, trainer: Trainer, steps: int) -> None:
        """Warn where the schedule of a resumed run was laid out over another length."""
        before, self._begun_for = self._begun_for, None
        made = trainer.global_step
        if not made or before in (None, steps) or reloads(trainer):
            return
        peak, at = self._candidate.peak, self._candidate.schedule.at
        assert peak is not None
        rank_zero_warn(
            f"FollowCandidate: the run of the checkpoint had {before} steps, this one {steps}: the "
            f"schedule is laid out over {steps}, so that the rate is {peak * at(made, steps):.3g} "
            f"and not {peak * at(made, before):.3g} at step {made}"
        )

    def _release(self) -> None:
        if self._rates is not None:
            self._rates.detach()
            self._rates = None

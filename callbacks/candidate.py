"""Train with a known peak and schedule."""

from collections.abc import Mapping
from typing import Any

from typing_extensions import override

from autolr import schedules
from autolr.callbacks.early_end import warn_of_early_stoppers, warn_of_end
from autolr.callbacks.handover import Handover
from autolr.callbacks.namespaces import Callback, LightningModule, Trainer
from autolr.callbacks.requirements import check_alone, check_rates
from autolr.callbacks.run_length import total_steps
from autolr.candidate import Candidate
from autolr.errors import ConfigError
from autolr.predicates import is_number
from autolr.runtime.rates import Rates
from autolr.schedules import Schedule


class FollowCandidate(Callback):
    """Set the rate of every step to peak x schedule.

    The optimizer's own rate only says how the rates of its groups relate: the group with the
    highest one gets ``peak``. It stays as it is, the product is applied around each step, up to
    where a `StochasticWeightAveraging` begins to anneal the rate to its own.

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
        self._total_steps = 0
        self._rates: Rates | None = None
        self._handover = Handover()

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        check_alone(trainer, (FollowCandidate,))
        check_rates(trainer, pl_module, "FollowCandidate")
        self._total_steps = total_steps(trainer, "FollowCandidate")
        warn_of_early_stoppers(trainer, "FollowCandidate", self._total_steps)
        self._rates = Rates.of(trainer.optimizers[0])
        self._handover = Handover(trainer)

    @override
    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._handover.is_due(trainer):
            self._handover.hand_over(trainer, self._factor(trainer))

    @override
    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        assert self._rates is not None
        self._rates.factor = 1.0 if self._handover.done else self._factor(trainer)

    @override
    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        warn_of_end(trainer, "FollowCandidate", self._total_steps)
        self._release()

    @override
    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        self._release()

    def _factor(self, trainer: Trainer) -> float:
        assert self._rates is not None
        return self._rates.factor_of(self._candidate, trainer.global_step, self._total_steps)

    def _release(self) -> None:
        if self._rates is not None:
            self._rates.detach()
            self._rates = None

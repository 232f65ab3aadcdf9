"""Train with a known peak and schedule."""

from collections.abc import Mapping
from typing import Any

from typing_extensions import override

from autolr import schedules
from autolr.callbacks.early_end import warn_of_early_stoppers, warn_of_end
from autolr.callbacks.handover import Handover
from autolr.callbacks.namespaces import STEP_OUTPUT, LightningModule, Trainer, rank_zero_warn
from autolr.callbacks.rate_host import RateHost
from autolr.callbacks.requirements import check_alone, check_follower
from autolr.callbacks.run_length import RunLength, reloads
from autolr.callbacks.search_metrics import log_value
from autolr.callbacks.step_count import StepCount, has_begun
from autolr.candidate import Candidate
from autolr.counted import counted
from autolr.errors import ConfigError
from autolr.predicates import is_number
from autolr.schedules import Schedule


class FollowCandidate(RateHost):
    """Set the rate of every step to peak x schedule.

    The optimizer's own rate only says how the rates of its groups relate, or those of several
    optimizers: the group with the highest one gets ``peak``. The product stands in the groups, up
    to where a `StochasticWeightAveraging` begins to anneal the rate to its own. The schedule is
    laid out over the whole run: anew where the epochs turn out to have other lengths, or where a
    run is resumed for longer, each with a line that says so. The Trainer's loggers get
    ``autolr/rate``, the highest rate of the groups in a step.

    Args:
        peak: The rate at which the schedule's multiplier is 1.
        schedule: A `Schedule`, the name of a profile, or a mapping as in ``schedule.json``.
        own_peak: The peak of the module's own scheduler, as ``result.own_peak``: its rates are
            multiplied by peak / own_peak x schedule. None: the module has none.

    Raises:
        ConfigError: If a value cannot work; before the first training step, if another callback
            sets the rate too.
        UnsupportedError: Before the first training step, if the module has no optimizer, a
            scheduler without ``own_peak`` or the reverse, or if the run has no end.
    """

    def __init__(
        self,
        peak: float,
        schedule: str | Mapping[str, Any] | Schedule,
        own_peak: float | None = None,
    ) -> None:
        _check_rate("peak", peak)
        if own_peak is not None:
            _check_rate("own_peak", own_peak)
        self._candidate = Candidate(peak=peak, schedule=schedules.parse(schedule))
        self._own_peak = None if own_peak is None else float(own_peak)
        self._length: RunLength | None = None
        self._begun_for: int | None = None  # the steps of the run that is resumed
        self._stored_count: Mapping[str, int] | None = None  # likewise, those made

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        check_alone(trainer, (FollowCandidate,))
        check_follower(trainer, pl_module, self._own_peak)
        stored = self._stored_count if has_begun(trainer) else None
        self._length = RunLength(trainer, "FollowCandidate", StepCount(trainer, stored))
        warn_of_early_stoppers(trainer, "FollowCandidate", self._length.steps)
        self._attach(trainer, self._own_peak)
        self._handover = Handover(trainer)
        self._warn_of_length(trainer, self._length)
        self._apply(trainer)

    @override
    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._handover.is_due(trainer):
            self._hand_over(trainer)

    @override
    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        assert self._length is not None
        if batch_idx == 0:
            self._length.count.begin_epoch()
        self._length.renew(trainer, batch_idx, [self._candidate.schedule])
        self._length.count.begin_batch()
        self._apply(trainer)

    @override
    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: STEP_OUTPUT,
        batch: Any,
        batch_idx: int,
    ) -> None:
        if batch is None:  # which Lightning skips: nothing was trained
            return
        assert self._rates is not None
        assert self._length is not None
        if self._length.count.end_batch():
            log_value(trainer, "rate", self._rates.applied)
        self._warn_of_writers("FollowCandidate")
        if self._length.count.made < self._length.steps:  # after the last step its rate stays
            self._apply(trainer)

    @override
    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert self._length is not None
        warn_of_end(self._length.count, "FollowCandidate", self._length.steps)
        self._leave_run()

    @override
    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        self._leave_run()

    def _leave_run(self) -> None:
        self._detach()
        if self._length is not None:
            self._stored_count = self._length.count.state_dict()  # a checkpoint may be written
            self._length.count.close()

    @override
    def state_dict(self) -> dict[str, Any]:
        steps = None if self._length is None else self._length.steps
        made = self._stored_count if self._length is None else self._length.count.state_dict()
        return {"total_steps": steps, "rates": self._rates_state(), "steps": made}

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._begun_for = state_dict.get("total_steps")
        self._stored_rates = state_dict.get("rates")
        self._stored_count = state_dict.get("steps")

    @override
    def _factor(self, trainer: Trainer) -> float:
        assert self._rates is not None
        assert self._length is not None
        return self._rates.factor_of(self._candidate, self._length.count.made, self._length.steps)

    def _warn_of_length(self, trainer: Trainer, length: RunLength) -> None:
        """Warn where the schedule of a resumed run was laid out over another length."""
        before, self._begun_for = self._begun_for, None
        made, steps = length.count.made, length.steps
        if not made or before is None or length.is_about(before) or reloads(trainer):
            return
        peak, at = self._candidate.peak, self._candidate.schedule.at
        assert peak is not None
        rank_zero_warn(
            f"FollowCandidate: the run of the checkpoint had {counted(before, 'step')}, this one "
            f"{steps}: the schedule is laid out over {steps}, so that the rate is "
            f"{peak * at(made, steps):.3g} and not {peak * at(made, before):.3g} at step {made}"
        )


def _check_rate(name: str, value: object) -> None:
    if not (is_number(value) and 0 < value < float("inf")):
        raise ConfigError.of(name, value, "a positive number")

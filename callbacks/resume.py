"""A search in a checkpoint: its state, its settings, and the generators."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from autolr.callbacks.handover import Handover
from autolr.callbacks.namespaces import LightningModule, Trainer, rank_zero_warn
from autolr.callbacks.resumed_rng import ResumedRng
from autolr.callbacks.rivals import RivalsCallback
from autolr.callbacks.run_length import RunLength, reloads
from autolr.callbacks.step_count import is_manual
from autolr.callbacks.swa import swa_of
from autolr.candidate import Candidate
from autolr.counted import counted
from autolr.errors import ConfigError, UnsupportedError
from autolr.result.result import Result
from autolr.rng import RngState
from autolr.runtime.by_rank import BY_RANK, collected, of_rank
from autolr.runtime.checkpoint_format import FORMAT, check_format
from autolr.runtime.described import LENGTH, described_settings, differences
from autolr.runtime.own_candidate import own_candidate
from autolr.schedules import Schedule

if TYPE_CHECKING:
    from autolr.callbacks.learner import LightningLearner
    from autolr.online.settings import SearchSettings
    from autolr.runtime.checkpoint import ResumableRivals


_OF_A_PROCESS = ("search", "generators")  # in the state: what each process has of its own


class KeepsSearch(RivalsCallback):
    """Keeps in its state the search while it is under way, later its result, and the generators."""

    _result: Result | None = None
    _own_peak: float | None = None
    _stored: dict[str, Any] | None = None  # a search to continue
    _processes = 1  # that have stored it
    _begun_with: Mapping[str, str]
    _generators: ResumedRng

    @override
    def state_dict(self) -> dict[str, Any]:
        stored = self._stored if self._rivals is None else self._search_state()
        result = self._result if stored is None else None
        return {
            "result": None if result is None else result.to_dict(),
            "search": stored,
            "rates": self._rates_state(),
            "steps": self._stored_count
            if self._length is None
            else self._length.count.state_dict(),
            "generators": RngState.capture().to_dict(),
        }

    @override
    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        super().on_save_checkpoint(trainer, pl_module, checkpoint)
        if trainer.world_size > 1:
            state = checkpoint["callbacks"][self.state_key]
            state |= collected({name: state[name] for name in _OF_A_PROCESS})

    @override
    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        super().on_load_checkpoint(trainer, pl_module, checkpoint)
        state = checkpoint["callbacks"].get(self.state_key, {})
        if (by_rank := state.pop(BY_RANK, None)) is None:
            self._processes = 1
            return
        self._processes = len(by_rank)
        if self._processes == trainer.world_size:
            stored = {name: state[name] for name in _OF_A_PROCESS} | {BY_RANK: by_rank}
            state |= of_rank(stored, trainer.global_rank)
        if trainer.strategy.restore_checkpoint_after_setup:  # `on_fit_start` has been called
            ResumedRng(state.get("generators")).before_the_data(trainer, self._processes)

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        result = state_dict["result"]
        self._result = None if result is None else Result.from_dict(result)
        self._stored = state_dict.get("search")
        self._stored_rates = state_dict.get("rates")
        self._stored_count = state_dict.get("steps")
        self._generators = ResumedRng(state_dict.get("generators"))

    @override
    def _release(self) -> None:
        if self._rivals is not None:  # cut: a checkpoint may still be written
            self._stored = self._search_state()
        super()._release()

    @override
    def _lay_out(self, steps: int) -> None:
        super()._lay_out(steps)
        if self._result is not None:
            self._result = replace(self._result, total_steps=steps)

    @override
    def _schedules(self) -> list[Schedule]:
        return super()._schedules() if self._result is None else [self._result.schedule]

    @override
    def _warn_of_writers(self, who: str) -> None:
        if self._rates is not None and self._rates.set_by_step is not None and not self._warned:
            self._keep_own_rates(own_candidate(self._rates))
        super()._warn_of_writers(who)

    def _with_own(self, result: Result) -> Result:
        """Return a result with what the module's own schedulers and optimizers begin from."""
        return replace(result, own_peak=self._own_peak, own_rates=self._own_rates)

    def _keep_own_rates(self, own: Candidate) -> None:
        """Have the result be that of the optimizer's own rates, where the search has not ended so.

        Args:
            own: What the run continues as.
        """
        if self._result is None:
            return
        self._warned = self._result.broken_off is not None  # the user has read it
        if not self._warned:
            self._result = replace(self._result, peak=own.peak, schedule=own.schedule)

    @override
    def _factor(self, trainer: Trainer) -> float:
        if self._result is None:
            assert self._rivals is not None
            return self._rivals.factor
        assert self._rates is not None
        result = self._result
        made = self._run_length.count.made
        return self._rates.factor_of(result.candidate, made, result.total_steps)

    def _search_state(self) -> dict[str, Any] | None:
        assert self._rivals is not None
        assert self._learner is not None
        return stored_search(self._rivals, self._learner, self._own_peak, self._begun_with)


def stored_search(
    rivals: "ResumableRivals",
    learner: "LightningLearner",
    own_peak: float | None,
    settings: Mapping[str, str],
) -> dict[str, Any] | None:
    """Return the state of a search, for `resumed_search`; None in the middle of a step.

    Args:
        rivals: The search.
        learner: The run.
        own_peak: Highest rate of the module's own scheduler; None without one.
        settings: See `described`.
    """
    state = rivals.state_dict()
    return state and {
        "format": FORMAT,
        "rivals": state,
        "learner": learner.state_dict(),
        "own_peak": own_peak,
        "settings": {**settings, LENGTH: repr(rivals.total_steps)},
    }


def live_candidate(stored: Mapping[str, Any] | None) -> Candidate | None:
    """Return what the run trained when a search was stored; None without one.

    Args:
        stored: What `stored_search` returned.
    """
    return None if stored is None else Candidate.from_dict(stored["rivals"]["live"]["candidate"])


def described(
    trainer: Trainer, settings: "SearchSettings", monitor: str, mode: str, steps: int
) -> dict[str, str]:
    """Return all that a search depends on, by name, to compare it with that of a resumed fit.

    Args:
        trainer: The trainer.
        settings: What the user has set.
        monitor: The name of the metric.
        mode: "min" or "max".
        steps: Optimizer steps of the run.

    Returns:
        The ``repr`` of each value.
    """
    schedulers = [type(c.scheduler).__name__ for c in trainer.lr_scheduler_configs]
    values: dict[str, object] = {"the module's schedulers": schedulers}
    if is_manual(trainer):  # the length is an estimate
        values["the optimizers"] = [type(one).__name__ for one in trainer.optimizers]
        limits = trainer.max_epochs, trainer.max_steps, trainer.num_training_batches
        values["max_epochs, max_steps and the batches of an epoch"] = limits
    else:
        values[LENGTH] = steps
    if swa_of(trainer) is not None:
        last = Handover(trainer).last_search_step(trainer, steps)
        values["the first step of StochasticWeightAveraging"] = last
    return described_settings(settings, monitor, mode, values)


def check_resumed(
    trainer: Trainer,
    made: int,
    stored: Mapping[str, Any] | None,
    present: Mapping[str, str],
    processes: int = 1,
) -> None:
    """Refuse a checkpoint whose search cannot be resumed.

    Args:
        trainer: The trainer.
        made: The steps that the run of the checkpoint has made.
        stored: What `stored_search` returned; None: the checkpoint has no search.
        present: See `described`.
        processes: How many have stored it.

    Raises:
        UnsupportedError: If it holds none, or one of another version of autolr, or that was cut in
            the middle of a step.
        ConfigError: If the search was begun with other settings, with all that differs, or on
            another number of processes: each has generators, batches and shards of its own.
    """
    if stored is not None and processes != trainer.world_size:
        raise ConfigError(
            f"AutoLR: the checkpoint is of a search with world_size {processes}, and this fit has "
            f"world_size {trainer.world_size}: resume in as many processes, or fit from the start"
        )
    if stored is not None:
        check_format(stored)
    if stored is None or stored["rivals"]["step"] != made:
        raise UnsupportedError(
            f"AutoLR: the checkpoint of step {made} holds neither a result nor a "
            "search to resume: fit from the start"
        )
    begun = dict(stored["settings"])
    if LENGTH not in present:
        del begun[LENGTH]
    elif reloads(trainer):
        begun[LENGTH] = present[LENGTH]
    if differing := list(differences(begun, present)):
        raise ConfigError(
            f"AutoLR: the checkpoint is of a search with other settings: {'; '.join(differing)}; "
            "resume with those, or fit from the start"
        )


def warn_of_length(result: Result, length: RunLength) -> None:
    """Warn where the schedule of a checkpoint was laid out for a run of another length.

    The schedule is kept: the steps so far belong to it, and a longer one would raise a rate that
    has already fallen. A module's own scheduler is left to the module.

    Args:
        result: Of the checkpoint.
        length: That of this run.
    """
    steps = length.steps
    if length.is_about(result.total_steps) or result.own_peak is not None:
        return
    last = result.run_peak * result.schedule.at(steps - 1, result.total_steps)
    end = f"all steps after that are made at a rate of {last:.3g}"
    cut = f"it is cut off at a rate of {last:.3g}"
    planned = counted(result.total_steps, "step")
    rank_zero_warn(
        f"AutoLR: the schedule of the checkpoint has {planned}, this run {steps}; "
        f"it is not stretched: {end if steps > result.total_steps else cut}"
    )

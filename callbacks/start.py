"""Starts a search in a Trainer."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from autolr.callbacks.beginning import (
    DEFAULT_MONITOR,
    learner_of,
    resumed_search,
    setup_of,
    started,
)
from autolr.callbacks.early_end import warn_of_early_stoppers
from autolr.callbacks.edges import LIGHTNINGS
from autolr.callbacks.handover import Handover
from autolr.callbacks.learner import LightningLearner
from autolr.callbacks.monitor import (
    UncheckedMonitor,
    check_losses,
    unchecked,
)
from autolr.callbacks.namespaces import (
    LightningModule,
    Trainer,
    rank_zero_info,
    rank_zero_warn,
)
from autolr.callbacks.own_schedulers import OwnRates
from autolr.callbacks.requirements import check_rates, check_rivals
from autolr.callbacks.resume import (
    KeepsSearch,
    check_resumed,
    described,
    live_candidate,
    warn_of_length,
)
from autolr.callbacks.search_metrics import SearchMetrics
from autolr.callbacks.shared_result import SharedResult
from autolr.callbacks.step_count import has_begun
from autolr.callbacks.step_pattern import pattern_of
from autolr.errors import ConfigError
from autolr.online.monitor import Monitor
from autolr.result.files import check_save_to
from autolr.result.result import Result
from autolr.rules.switching import begin_rule
from autolr.runtime.collectives import Ranks
from autolr.runtime.failures import in_words, of_a_search
from autolr.runtime.rates import Rates
from autolr.runtime.room import Room
from autolr.runtime.start import (
    Setup,
    begins_with,
    keep_users_rate,
    without_search,
)

if TYPE_CHECKING:
    from autolr.candidate import Candidate
    from autolr.online.progress import Progress
    from autolr.online.settings import SearchSettings
    from autolr.runtime.checkpoint import ResumableRivals


class StartsSearch(KeepsSearch):
    """Starts the search of a run, resumes it, or leaves a run in which nothing is scored alone.

    Such a run is too short for any round, or its strategy commits at once: no pass over validation
    is made. The run's own validation then shows whether the monitor is logged.
    """

    _settings: "SearchSettings"
    _given_monitor: str | None
    _mode: str | None
    _save_to: str | Path | None
    _shared: SharedResult
    _room: Room
    _metrics: SearchMetrics
    _own: OwnRates | None = None
    _unchecked: UncheckedMonitor | None = None

    @property
    def _monitor(self) -> str:
        return self._given_monitor or DEFAULT_MONITOR

    @override
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._unchecked is not None:
            self._unchecked.observe(trainer)
        super().on_validation_end(trainer, pl_module)

    def _prepare(self, trainer: Trainer, pl_module: LightningModule, ranks: Ranks) -> None:
        """Refuse what is not supported, and set the first rate.

        Args:
            trainer: A trainer that has begun to fit.
            pl_module: Its module.
            ranks: The processes that train the run together.
        """
        if trainer.is_global_zero:
            check_save_to(self._save_to)
        self._handover = Handover(trainer)
        self._handover.check()
        self._own = self._unchecked = None
        if not has_begun(trainer):
            self._result = self._stored = self._shared.value = None  # of another run
        steps = self._planned_steps(trainer, "AutoLR")
        warn_of_early_stoppers(trainer, "AutoLR", steps)
        if begins := self._result is None and self._stored is None:
            check_rivals(trainer, pl_module, "AutoLR", sharded=True)
            if has_begun(trainer):
                check_resumed(trainer, self._run_length.count.made, None, {})
            self._own = OwnRates.of(trainer, pl_module, steps)
            self._own_peak = None if self._own is None else self._own.peak
        else:
            self._resume(trainer, pl_module, ranks, steps)
        rates = self._attach(trainer, self._own_peak)
        if begins:
            try:
                self._check_search(trainer, pl_module, ranks, rates, steps)
            except Exception:
                self._detach()
                raise
        if self._learner is not None and not self._settings.is_single:
            self._watch_callbacks(trainer, self._learner)
        self._generators.after_the_data(trainer)
        self._apply_first(trainer, rates, steps)

    def _resume(self, trainer: Trainer, module: LightningModule, ranks: Ranks, steps: int) -> None:
        """Refuse what the checkpoint cannot be resumed with."""
        if self._result is None:
            assert self._stored is not None
            self._check(trainer, module, ranks, steps)
            made = self._run_length.count.made
            check_resumed(trainer, made, self._stored, self._begun_with, self._processes)
            self._own_peak = self._stored["own_peak"]
            return
        self._stored, self._own_peak = None, self._result.own_peak
        self._metrics = SearchMetrics(self._result.monitor)
        if self._own_peak is None:
            check_rates(trainer, module, "AutoLR")
        warn_of_length(self._result, self._run_length)

    def _check_search(
        self,
        trainer: Trainer,
        module: LightningModule,
        ranks: Ranks,
        rates: Rates,
        steps: int,
    ) -> None:
        """Refuse a monitor that cannot work; where nothing can be scored there is no search."""
        setup = self._setup(trainer, steps)
        if (kept := without_search(rates, setup, rank_zero_info)) is not None:
            monitor, self._unchecked = unchecked(trainer, self._monitor, self._mode)
            self._keep(trainer, *kept, steps, monitor)
            return
        try:
            self._check(trainer, module, ranks, steps)
        except ConfigError:
            raise
        except of_a_search(ranks) as error:  # the run's own validation will raise it at its place
            obstacle = f"the first pass over validation raised {in_words(error)}"
            kept = keep_users_rate([obstacle], rates, setup, rank_zero_warn)
            self._keep(trainer, *kept, steps, Monitor(self._monitor))

    def _keep(
        self, trainer: Trainer, search: "Progress", live: "Candidate", steps: int, monitor: Monitor
    ) -> None:
        """Have the result of a run beside which nothing is trained or scored."""
        begin_rule(trainer.optimizers[0], live.rule)
        result = Result.of(search, live, steps, probe_steps=0, validation_passes=0, monitor=monitor)
        self._result = self._shared.value = self._with_own(result)
        self._metrics = SearchMetrics(monitor)

    def _check(self, trainer: Trainer, module: LightningModule, ranks: Ranks, steps: int) -> None:
        """Refuse what is not supported."""
        given, settings = self._given_monitor, self._settings
        learner = learner_of(trainer, module, ranks, settings, given, self._mode)
        mode = self._mode or learner.monitor.mode
        self._begun_with = described(trainer, settings, self._monitor, mode, steps)
        self._learner, self._metrics = learner, SearchMetrics(learner.monitor)

    def _setup(self, trainer: Trainer, steps: int) -> Setup:
        return setup_of(trainer, self._settings, steps, self._own, self._handover)

    def _apply_first(self, trainer: Trainer, rates: Rates, steps: int) -> None:
        """Apply the first rate before the first batch: callbacks ahead of this one log it then."""
        if self._result is not None:
            self._apply(trainer)
            return
        first = live_candidate(self._stored) or begins_with(rates, self._setup(trainer, steps))
        if first is not None:  # None: a scan on the first batch decides
            rates.factor = rates.factor_of(first, self._run_length.count.made, steps)

    def _begin(self, trainer: Trainer, batch: Any, batch_idx: int, steps: int) -> None:
        """Begin the search, or resume it; hooks that make the run's state have run by now."""
        learner, rates = self._learner, self._rates
        assert learner is not None
        assert rates is not None
        learner.settle()
        if self._stored is not None:
            searcher = self._settings.searcher
            self._rivals = resumed_search(self._stored, searcher, learner, rates, self._room)
            self._rivals.plan(steps)
            self._stored = None
            self._follow(self._rivals, learner)
            return
        with learner.first_batch(batch, batch_idx):
            if self._run_length.count.manual:
                steps = self._foreseen(trainer, learner)
            setup = self._setup(trainer, steps)
            self._rivals = started(trainer, learner, rates, setup, self._room)
        self._follow(self._rivals, learner)

    def _follow(self, rivals: "ResumableRivals", learner: LightningLearner) -> None:
        """Report on a search from here on, and take it through what is set on its module."""
        self._metrics.skip(rivals.search)
        if not self._settings.is_single:
            rivals.set_values.watch(learner.model, LIGHTNINGS)

    def _foreseen(self, trainer: Trainer, learner: LightningLearner) -> int:
        """Return the steps of a run that optimizes by hand, by what a copy of it shows."""
        if not self._settings.is_single:
            pattern = pattern_of(learner)
            check_losses(learner.monitor, pattern)
            self._run_length.foresee(trainer, pattern.tally)
        return self._run_length.steps

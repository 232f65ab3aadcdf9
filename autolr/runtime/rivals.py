"""Rivals of a run, trained beside it on the very batches that go by."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from torch import Tensor

from autolr.candidate import Candidate
from autolr.errors import DivergedError
from autolr.result.result import Result
from autolr.rng import isolated_rng
from autolr.runtime.acting import Acting
from autolr.runtime.candidate_run import CandidateRun
from autolr.runtime.dead_rates import sets_its_rate
from autolr.runtime.failures import in_words, of_a_search
from autolr.runtime.hook_changes import HookChanges
from autolr.runtime.inactive import inactive_units
from autolr.runtime.learner import RECENT, Learner
from autolr.runtime.model_tensors import is_finite
from autolr.runtime.optimizer_peaks import name_of
from autolr.runtime.own_candidate import own_candidate
from autolr.runtime.rates import Rates
from autolr.runtime.room import Room
from autolr.runtime.scoring import LOST
from autolr.runtime.set_values import put
from autolr.runtime.step_context import StepContext
from autolr.runtime.structure import is_trained_finite
from autolr.runtime.written_rise import rise_beyond

if TYPE_CHECKING:
    from autolr.online.progress import Progress

_BROKEN = "the loss is NaN, and no other state can replace the run's; its weights are finite"
_CHECK_EVERY = 16  # steps between checks of the loss of a run alone; each waits for the device


class Rivals(Acting):
    """Carries out a search inside a run.

    The caller trains the live run, which follows one candidate. After each of its steps
    `repeat_step` makes the same step with every rival: same batch, same generator states. All
    scores are paired and no data is drawn twice. When a rival wins, its state replaces that of the
    live run, as if the run had trained that candidate from its first step.

    Args:
        learner: The run.
        rates: The rates of its optimizer. The owner sets ``rates.factor`` to `factor` before
            every live step.
        search: The search to carry out; `search` is replaced as it proceeds.
        total_steps: Optimizer steps of the run.
        live: The candidate that the run trains first; one of the search's.
        step: Optimizer steps that the run has made already.
        wait: Whether to do nothing yet, as a stored state is about to be loaded.
        room: How many copies of the run may be held.
    """

    def __init__(
        self,
        learner: Learner,
        rates: Rates,
        search: "Progress",
        total_steps: int,
        live: Candidate,
        *,
        step: int = 0,
        wait: bool = False,
        room: Room | None = None,
    ) -> None:
        super().__init__(learner, rates, search, total_steps, live, step, room or Room())
        self.probe_steps = search.scan.steps if search.scan else 0
        self._shares: list[float] = []  # of the run's own peak, by step: see `rise_beyond`
        self._nan = False  # whether the last loss of the live run that was checked is NaN
        if not wait:
            with self.surviving():
                self._look_at_untrained()
            self._act()

    @property
    def factor(self) -> float:
        """The factor of the run's own rates at the next live step."""
        return self._factor(self._live)

    @property
    def wants_batch(self) -> bool:
        """Whether the batch to come may be needed again: by rivals, or where a round is near."""
        closes = self.total_steps - self.step <= RECENT and bool(self.search.closing)
        return bool(self._rivals) or closes or self.search.is_due(self.step, within=RECENT)

    def capture(self) -> StepContext | None:
        """Return what a live step begins with, for `repeat_step`; None without rivals."""
        return StepContext.capture(self._learner.optimizer) if self._rivals else None

    def repeat_step(
        self, loss: Tensor | None, before: StepContext | None, *, stepped: bool
    ) -> None:
        """Repeat with every rival what the live run has just done.

        Args:
            loss: The live run's loss on the present batch, if it had one.
            before: What `capture` returned when the live run began with the batch.
            stepped: Whether the live run made a step (not so while it accumulates gradients).

        Raises:
            DivergedError: If every candidate has diverged, and the strategy does not roll back.
        """
        with self.surviving(stepped=stepped):
            if self.searching and (rate := self._rates.set_by_step) is not None:
                self._end(sets_its_rate(self._learner.optimizer, rate), own_candidate(self._rates))
            self.look(stepped=True)
            if stepped:
                self._live.applied(self._rates.applied)
                self._note_share()
                self._look_for_inactive(self._live)
            if self._notes_losses:
                self._live.losses.note(loss, stepped=stepped)
            if before is not None:
                self._train_rivals(before, stepped=stepped)
            if self._is_check_due(stepped=stepped):
                self._check_loss(loss)
                if self.search.guarded:
                    self._drop_diverged()
            if stepped:
                self.step += 1
                self._look_for_rise()
                self._sample()
                self._act()

    @contextmanager
    def surviving(self, *, stepped: bool = False) -> Iterator[None]:
        """End the search where the block raises; the run continues as it is.

        Args:
            stepped: Whether the live run has made a step that is not counted yet.

        Raises:
            DivergedError: See `repeat_step`.
        """
        step = self.step + stepped
        try:
            yield
        except DivergedError:
            raise
        except of_a_search(self._learner.ranks) as error:
            self.step = step
            self._end(in_words(error), self.live)

    def result(self) -> Result:
        """Return the result so far, with its cost."""
        return Result.of(
            self.search,
            self.live,
            self.total_steps,
            probe_steps=self.probe_steps,
            validation_passes=self._scoring.passes,
            monitor=self._learner.monitor,
            copy_bytes=self._copies.most_bytes,
            highest_rate=self._live.highest_rate or None,
            optimizer=name_of(self._learner.optimizer),
        )

    def for_each_rival(self, action: Callable[[], None]) -> None:
        """Call ``action`` with each rival's state in place; generators are left as they were."""
        with isolated_rng():
            for rival in [rival for rival in self._rivals if not rival.diverged]:
                self._attempt(rival, action)

    def watch_hooks(self) -> HookChanges | None:
        """Return what watches the hooks that run between two batches; None without rivals."""
        if not self._rivals:
            return None
        return HookChanges(self._learner.model, self._learner.optimizer)

    def _train_rivals(self, before: StepContext, *, stepped: bool) -> None:
        after = StepContext.capture(self._learner.optimizer)
        trained = [rival for rival in self._rivals if not rival.diverged]
        try:
            losses = [self._train(rival, before) for rival in trained]
        finally:
            after.restore()
        for rival, loss in zip(trained, losses, strict=True):  # last: it waits for the device
            rival.diverged |= loss is not None and not math.isfinite(float(loss.detach()))
            if self._notes_losses:
                rival.losses.note(loss, stepped=stepped)
        self.probe_steps += stepped * len(trained)

    def _train(self, rival: CandidateRun, before: StepContext) -> Tensor | None:
        """Make the live run's step with a rival's state; return the loss, if there is one."""

        def train() -> Tensor | None:
            put(self.set_values.before_step)
            with self._rates.multiplied(self._factor(rival)):
                loss = self._learner.train()
            put(self.set_values.after_step)
            self._look_for_inactive(rival)
            if loss is None:
                rival.diverged |= self._has_diverged(loss)
            return loss

        before.restore()
        loss = self._attempt(rival, train)
        rival.applied(self._rates.applied)
        return loss

    def _look_for_inactive(self, run: CandidateRun) -> None:
        """Note how many units of the run whose state is in place are inactive, where it is due."""
        probe = self.search.probe
        if probe is not None and probe.counts_inactive and self.step + 1 == probe.horizon:
            run.inactive = inactive_units(self._learner.model, self._learner.optimizer)

    def _note_share(self) -> None:
        """Note which share of the run's own peak the rate is that other code has left to it."""
        if self.search.probe is not None and self.search.probe.waits and self._rates.factor:
            self._shares.append(self._rates.applied / (self._rates.factor * self._rates.base))

    def _look_for_rise(self) -> None:
        """End a race within a warm-up that other code writes, where the strategy waits for that."""
        probe = self.search.probe
        if probe is None or not probe.waits:
            return
        if (rise := rise_beyond(probe.horizon, self._shares)) is not None:
            self._observe(self.step, rise=rise)
            self._settle(self.step)

    def _check_loss(self, loss: Tensor | None) -> None:
        """Note which candidates have diverged; on one rank counts as on all."""
        self._live.diverged = self._has_diverged(loss)
        runs = [self._live, *self._rivals]
        nan = loss is not None and math.isnan(float(loss))
        self._nan, *flags = self._learner.ranks.any([nan, *(run.diverged for run in runs)])
        for run, flag in zip(runs, flags, strict=True):
            run.diverged = flag

    def _has_diverged(self, loss: Tensor | None) -> bool:
        """Return whether the state in place has; without a loss its weights show it."""
        if loss is not None:
            return not math.isfinite(float(loss))
        if self.step % _CHECK_EVERY:
            return False
        return not is_trained_finite(self._learner.model, self._learner.optimizer)

    def _drop_diverged(self) -> None:
        """Drop the candidates whose loss is not finite; replace the live run if it is one."""
        rivals = [rival for rival in self._rivals if not rival.annealed]
        dead = [run for run in [self._live, *rivals] if run.diverged]
        survivors = [rival for rival in rivals if not rival.diverged]
        if self._live.diverged and not survivors:
            self._report_divergence([*(run.candidate for run in rivals), self.live])
            return
        if self._live.diverged:
            lower = [rival for rival in survivors if rival.candidate.is_slower(self.live)]
            self._swap_in(lower[-1] if lower else survivors[0])
        self._dropped += [run.candidate for run in dead]
        self._rivals = [r for r in self._rivals if r.annealed or r.candidate not in self._dropped]

    def _report_divergence(self, last: Sequence[Candidate]) -> None:
        """Report to the strategy that the last candidates have diverged; no state is left.

        Where it has no answer, the loss is NaN and the weights are finite, only the search ends:
        the run's own code has kept such a batch out of them, and would continue without us.
        """
        probe = self.search.probe
        assert probe is not None
        self._dropped += [] if probe.annealed else last
        try:
            self._observe(self.step + 1, [LOST] * len(probe.candidates), lost=True)
        except DivergedError:
            (broken,) = self._learner.ranks.any([not is_finite(self._learner.model)])
            if broken or not self._nan:
                raise
            self._end(_BROKEN, self.live if self.search.scores else own_candidate(self._rates))
            return
        self._settle(self.step + 1)

    def _is_check_due(self, *, stepped: bool) -> bool:
        due = self.search.guarded and stepped and self.step % _CHECK_EVERY == 0
        return self.searching and (bool(self._rivals) or due)

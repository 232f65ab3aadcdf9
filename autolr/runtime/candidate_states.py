"""The states of the candidates in training: the one in place, its rivals', and the saved one."""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from autolr.candidate import Candidate
from autolr.online.actions import Probe
from autolr.online.fewer import by_nearness
from autolr.online.records import CopyRecord
from autolr.online.reschedule import shrunk
from autolr.rules.switching import begin_rule
from autolr.runtime.candidate_run import CandidateRun
from autolr.runtime.copies import Copies
from autolr.runtime.end_averages import EndAverages
from autolr.runtime.failures import OUT_OF_MEMORY, forget_step, in_words, of_a_step
from autolr.runtime.learner import Learner
from autolr.runtime.room import Room
from autolr.runtime.set_values import SetValues, put
from autolr.runtime.snapshot import Snapshot
from autolr.runtime.trained import Change

if TYPE_CHECKING:
    from autolr.online.progress import Progress
    from autolr.runtime.rates import Rates

T = TypeVar("T")


class CandidateStates:
    """Copies a run for its rivals and for a rollback, and keeps the copies in step with it.

    Args:
        learner: The run.
        rates: The rates of its optimizer.
        search: The search; records of copies that end are added to it.
        total_steps: Optimizer steps of the run.
        live: The candidate that the run trains first.
        step: Optimizer steps that the run has made already.
        room: How many copies of the run may be held.

    Attributes:
        replaced: How often another state has taken the place of that of the live run.
        set_values: What code outside of its steps sets on the modules of the live run.
    """

    def __init__(
        self,
        learner: Learner,
        rates: "Rates",
        search: "Progress",
        total_steps: int,
        live: Candidate,
        step: int,
        room: Room,
    ) -> None:
        self.search = search
        self.replaced = 0
        self.set_values = SetValues(lambda: bool(self._rivals))
        self.step = step
        self.total_steps = total_steps
        self._learner = learner
        self._rates = rates
        self._copies = Copies(learner, room)
        self._best: Snapshot | None = None
        self._dropped: list[Candidate] = []  # of the present probe, in the order of divergence
        self._ended: list[Candidate] = []  # likewise; their copies could not be made or kept
        self._changed: int | None = None  # step at which what trains changed, for the strategy
        begin_rule(learner.optimizer, live.rule)
        self._live = CandidateRun(live, np.ones(total_steps), None)  # of no step yet
        self._live = self._candidate_run(live, None)
        self._rivals: list[CandidateRun] = []
        self._ends = EndAverages(learner, self._has_room)

    @property
    def live(self) -> Candidate:
        """The candidate that the run trains; it changes with the state that is in place."""
        return self._live.candidate

    @property
    def searching(self) -> bool:
        """Whether the search is still under way."""
        return self.search.searching

    def look(self, *, stepped: bool = False, pending: bool = False) -> None:
        """Notice changes of what the run trains; to be called before each live step too.

        Args:
            stepped: Whether the run has trained on a batch that rivals have not.
            pending: Whether `for_each_rival` is about to repeat a hook that the run has called.
        """
        if not self.searching:
            return
        change = self._copies.look(stepped=stepped, pending=pending)
        if change is not None:
            self._follow(change, stepped=stepped)
        if not stepped:
            self._copies.settle(self.step)

    def _attempt(self, rival: CandidateRun, action: Callable[[], T]) -> T | None:
        """Return what ``action`` returns with a rival's state in place; it ends where that raises.

        Args:
            rival: The rival.
            action: A step or a hook, which the live run has behind it.
        """
        try:
            with rival.in_place():
                return action()
        except of_a_step(self._learner.ranks) as error:
            self._note_failure(rival, error)
            return None

    def _note_failure(self, rival: CandidateRun, error: Exception) -> None:
        """Put on record that a rival has raised: it has diverged, or its memory is released."""
        forget_step(self._learner.extras)
        rival.diverged = True
        if isinstance(error, OUT_OF_MEMORY):
            self._rivals.remove(rival)
            self._note(f"no memory for a copy ({in_words(error)})", [rival.candidate])
            return
        peaks = (rival.candidate.peak or math.nan,)
        reason = f"a copy raised {in_words(error)}"
        self.search = self.search.noting(CopyRecord(self.step, reason, peaks))

    def _end(self, reason: str, run: Candidate) -> None:
        """End the search before it is over.

        Args:
            reason: Why, in words.
            run: What the run continues as, in its present state.
        """
        peaks = tuple(rival.candidate.peak or math.nan for rival in self._rivals)
        record = CopyRecord(self.step, reason, peaks, ends_search=True)
        self.search = self.search.ended(record, run)
        self._rivals, self._best = [], None
        self._ends.clear()
        self._live = self._candidate_run(run, None)

    def _has_room(self) -> bool:
        """Return whether one more copy of the run could be made."""
        return self._left()[0] > 0

    def _left(self) -> tuple[int, str]:
        """Return how many more copies of the run there is room for, and why no more."""
        return self._copies.left(len(self._rivals) + (self._best is not None))

    def _spawn(self, probe: Probe) -> None:
        """Copy the run for each candidate of the probe that has no run yet."""
        trained = [] if probe.annealed else [self.live]
        trained += [rival.candidate for rival in self._rivals]
        there = (*trained, *self._dropped, *self._ended)
        if missing := [candidate for candidate in probe.candidates if candidate not in there]:
            for candidate in self._with_room(missing, probe):
                copy = self._copy_for(candidate, probe)
                self._rivals.append(self._candidate_run(candidate, copy))
                if probe.annealed:
                    self._anneal(self._rivals[-1], probe)
            self._count_bytes()

    def _copy_for(self, candidate: Candidate, probe: Probe) -> Snapshot:
        """Copy the run, or the saved state where the probe says so."""
        if candidate != probe.copied or self._best is None:
            return self._copies.make_rival(candidate.rule, self.step)
        self._put_in_place(self._best)
        try:
            return self._copies.make_rival(candidate.rule, self.step)
        finally:
            self._best.exchange()

    def _with_room(self, missing: list[Candidate], probe: Probe) -> list[Candidate]:
        """Return the candidates that get a copy of the run, in the order of the probe."""
        count, reason = self._left()
        if unmade := self._copies.unmade():
            count, reason = 0, unmade
        first = missing if probe.annealed else by_nearness(missing, self.live)
        if ended := first[count:]:
            self._note(reason, ended, unmade=True)
        return [candidate for candidate in missing if candidate not in ended]

    def _note(
        self,
        reason: str,
        ended: Sequence[Candidate],
        *,
        renewed: bool = False,
        unmade: bool = False,
    ) -> None:
        """Put on record that copies have ended."""
        self._ended += ended
        peaks = tuple(candidate.peak or math.nan for candidate in ended)
        record = CopyRecord(self.step, reason, peaks, renewed, unmade=unmade)
        self.search = self.search.noting(record)

    def _follow(self, change: Change, *, stepped: bool) -> None:
        """Carry the copies of the run along when what it trains has changed, or end them."""
        rivals, self._rivals = self._rivals, [] if change.lost else self._rivals
        ended = [rival.candidate for rival in rivals] if change.lost else []
        states = [rival.state for rival in self._rivals]
        renewed = self._best is not None and not change.hidden
        if self._best is not None and change.hidden and not change.lost:
            states.append(self._best)
        elif self._best is not None:
            self._copies.renew(self._best)
            self._changed, renewed = self.step + stepped, True
        self._copies.follow(change, states, stepped=stepped)
        if ended or renewed:
            self._note(change.reason, ended, renewed=renewed)

    def _anneal(self, run: CandidateRun, probe: Probe) -> None:
        """Have a copy follow the rest of its schedule within the probe."""
        schedule, steps = run.candidate.schedule, probe.horizon - probe.start
        multipliers = np.array(shrunk(schedule, probe.horizon, self.total_steps, steps))
        factors = self._rates.factors_of(run.candidate, multipliers)
        run.factors[probe.start : probe.horizon] = factors
        run.annealed = True

    def _keep_best(self) -> None:
        """Copy the run, with averaged weights where those are what the score belongs to."""
        with self._live.weights(self._learner.forward):
            copies, best = self._copies, self._best
            self._best = copies.make() if best is None else copies.renew(best)
        self._count_bytes()

    def _roll_back(self) -> None:
        assert self._best is not None
        self._put_in_place(self._best)
        self._copies.renew(self._best)
        self._ends.clear()
        self.replaced += 1

    def _put_in_place(self, older: Snapshot) -> None:
        """Exchange an older state with that in place; what says where the run is stays."""
        older.count_on()
        present = self.set_values.present()
        older.exchange()
        put(present)

    def _swap_in(self, rival: CandidateRun) -> None:
        """Make a rival's state the live one; the state of the live run becomes a rival."""
        rival.state.exchange()
        self._ends.clear()
        self.replaced += 1
        rival.snapshot, self._live.snapshot = None, rival.snapshot
        self._rivals[self._rivals.index(rival)] = self._live
        self._live = rival

    def _candidate_run(self, candidate: Candidate, snapshot: Snapshot | None) -> CandidateRun:
        factors = self._rates.factors_of(candidate, candidate.schedule.values(self.total_steps))
        return CandidateRun(candidate, factors, snapshot, highest_rate=self._live.highest_rate)

    def _count_bytes(self) -> None:
        runs = [self._live, *self._rivals]
        averages = [run.average.nbytes for run in runs if run.average is not None]
        copies = [run.snapshot for run in self._rivals] + [self._best]
        averages += self._ends.nbytes
        self._copies.count_bytes([*averages, *(c.nbytes for c in copies if c is not None)])

    @property
    def _notes_losses(self) -> bool:
        """Whether the losses of the present step are the score of a probe."""
        probe = self.search.probe
        return probe is not None and probe.ahead is not None and self.step >= probe.start

    def _is_annealed(self) -> bool:
        return self.search.probe is not None and self.search.probe.annealed

    def _factor(self, run: CandidateRun) -> float:
        return float(run.factors[min(self.step, self.total_steps - 1)])

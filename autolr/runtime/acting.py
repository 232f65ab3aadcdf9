"""The actions of a strategy, carried out on the states of the candidates in training."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from autolr.candidate import Candidate
from autolr.errors import UnsupportedError
from autolr.online.actions import Commit, Probe, Rollback, Save, Train
from autolr.online.observation import Observation
from autolr.runtime.candidate_run import CandidateRun
from autolr.runtime.candidate_states import CandidateStates
from autolr.runtime.dead_rates import ignores_its_rate
from autolr.runtime.learner import Learner
from autolr.runtime.own_candidate import own_candidate
from autolr.runtime.rates import Rates
from autolr.runtime.room import Room
from autolr.runtime.score import Score
from autolr.runtime.scoring import LOST, Scoring, by_batch
from autolr.runtime.step_losses import forecasts

if TYPE_CHECKING:
    from autolr.online.progress import Progress


class Acting(CandidateStates):
    """Carries out what a strategy answers, and reports to it what came of that.

    Args:
        learner: See `CandidateStates`.
        rates: See `CandidateStates`.
        search: The search; it is replaced as it proceeds.
        total_steps: See `CandidateStates`.
        live: See `CandidateStates`.
        step: See `CandidateStates`.
        room: See `CandidateStates`.

    Attributes:
        stop_requested: Whether training will stop as soon as it can; strategies are informed.
    """

    def __init__(
        self,
        learner: Learner,
        rates: Rates,
        search: "Progress",
        total_steps: int,
        live: Candidate,
        step: int,
        room: Room,
    ) -> None:
        super().__init__(learner, rates, search, total_steps, live, step, room)
        self.stop_requested = False
        self._scoring = Scoring(learner)

    def _look_at_untrained(self) -> None:
        """Score the run before its first step, if several candidates will be compared with that."""
        probe = self.search.probe
        if self.step or probe is None or probe.ahead is not None:
            return
        if len(probe.candidates) > 1 and self._copies.unmade() is None:
            self._scoring.look_at_untrained()

    def _act(self) -> None:
        """Carry out every action that is due at this step of the run."""
        while (probe := self.search.probe) is not None:
            if self.step < probe.start:
                return
            self._spawn(probe)
            if self.step < probe.horizon:
                return
            self._count_bytes()
            if ignored := self._ignored_rates():
                self._end(ignored, own_candidate(self._rates))
                break
            scores = self._scores(probe)
            self._observe(self.step, [scores.get(c, LOST) for c in probe.candidates])
            self._settle(self.step)
        self._rivals, self._best, self._live.average = [], None, None
        if self.search.closes:
            if self.step < self.total_steps:
                return
            self._close()
        if isinstance(action := self.search.action, Train):
            raise UnsupportedError(
                f"a strategy answers with Train only in a run that can be rewound, got {action!r}"
            )
        self._ends.clear()

    def _scores(self, probe: Probe) -> dict[Candidate, Score]:
        """Return the score of each candidate of a probe that has ended."""
        if probe.ahead is not None:
            return forecasts([self._live, *self._rivals], probe.ahead, self._learner.ranks)
        if probe.start == probe.horizon:  # no step was made in it: the weights as they are
            self._scoring.sample([self._live, *self._rivals], 1)
        return self._scoring.scores(
            self._live, self._rivals, self._note_failure, annealed=probe.annealed
        )

    def _ignored_rates(self) -> str | None:
        """Return in words that the runs of the race have not differed by their rates, if so."""
        if self.search.scores or self._is_annealed():
            return None
        runs = [run for run in [self._live, *self._rivals] if not run.diverged]
        return ignores_its_rate(self._learner.optimizer, runs, self._learner.ranks)

    def _observe(
        self,
        step: int,
        scores: Sequence[Score] = (),
        *,
        lost: bool = False,
        rise: int | None = None,
        windows: tuple[int, ...] = (),
    ) -> None:
        """Report to the strategy that its action has been carried out, see `Observation`."""
        among = self.search.candidates
        probe = self.search.probe
        counted = bool(scores) and probe is not None and probe.counts_inactive
        inactive = {run.candidate: run.inactive for run in [self._live, *self._rivals]}
        initial = self._scoring.initial
        initial_batches = None if initial is None else by_batch([initial])
        (stop_requested,) = self._learner.ranks.any([self.stop_requested])
        observation = Observation(
            step,
            tuple(score.value for score in scores),
            by_batch(scores),
            initial=None if initial is None else initial.value,
            initial_batches=initial_batches[0] if initial_batches else None,
            inactive=tuple(inactive.get(one, 0.0) for one in among) if counted else (),
            diverged=tuple(map(among.index, self._dropped)),
            ended=() if self._is_annealed() else tuple(map(among.index, self._ended)),
            changed=self._changed,
            lost=lost,
            rise=rise,
            windows=windows,
            steps_left=self.total_steps - step,
            stop_requested=stop_requested,
        )
        self.search = self.search.observe(observation)
        self._dropped, self._ended, self._changed = [], [], None

    def _close(self) -> None:
        """Report the scores of the last weights and of their averages; have the best in place."""
        averages = self._ends.of(self.search.closing)
        windows = tuple(0 if average is None else average.window for average in averages)
        self._observe(self.step, self._scoring.ends(averages), windows=windows)
        action = self.search.action
        if isinstance(action, Commit) and action.averaged is not None:
            average = averages[windows.index(action.averaged.window)]
            assert average is not None
            average.stay(self._learner.forward)

    def _sample(self) -> None:
        """Take the weights into the averages while a window is open."""
        self._ends.sample(self.search.closing, self.total_steps - self.step + 1)
        now = self.search.probe
        if now is None or self.step <= now.horizon - now.window:
            return
        self._scoring.sample([self._live, *self._rivals], now.horizon - self.step + 1)

    def _settle(self, step: int) -> None:
        """Activate the state that the strategy has chosen, up to its next probe."""
        run = self.search.action.run
        for rival in self._rivals:
            if rival.candidate == run and not rival.annealed:
                self._swap_in(rival)
        rivals, self._rivals = self._rivals, []
        while isinstance(action := self.search.action, Save | Rollback):
            if isinstance(action, Save):
                self._keep_best()
            else:
                self._roll_back()
            self._observe(step)
        self._live = self._candidate_run(self.search.action.run, None)
        if isinstance(action, Probe):
            self._continue(rivals, action)

    def _continue(self, rivals: Sequence[CandidateRun], probe: Probe) -> None:
        """Train those that were scored just now on, each from where it is."""
        for rival in rivals:
            if probe.trains_on(rival.candidate) and not rival.diverged:
                rival.average = None
                self._rivals.append(rival)

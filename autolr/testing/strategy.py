"""What every search strategy must do."""

import contextlib
import dataclasses
import json
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from autolr import schedules
from autolr.candidate import Candidate
from autolr.errors import ConfigError
from autolr.online import (
    Action,
    Commit,
    Observation,
    PeakRange,
    Probe,
    RaceEntry,
    Rollback,
    RunInfo,
    Save,
    State,
    Strategy,
    Train,
)

LENGTHS = (1, 7, 50, 1000, 20_000)
"""Runs, in optimizer steps."""

_OWN = RaceEntry(PeakRange.around(0.1))
GIVEN: dict[str, dict[str, Any]] = {
    "one peak": {"entries": (RaceEntry(PeakRange.between(0.1, 0.1)),)},
    "limits": {"entries": (RaceEntry(PeakRange.between(0.01, 0.1)),)},
    "a schedule": {"schedule": schedules.warmup(0.2) | schedules.cosine(), "rise": 10},
    "profiles": {"profiles": (schedules.linear(), schedules.rex())},
    "rules": {"entries": (_OWN, RaceEntry(PeakRange.around(1.0), "sps_max"))},
    "no own rule": {"entries": (RaceEntry(PeakRange.around(1.0), "sps_max"),)},
}
"""What a run may differ in from that of `run_of`."""

_BEST = 0.03  # the peak that scores best, within the range of `run_of`
_MOST_ACTIONS = 10_000  # of a search; a strategy that needs more never ends
_BROKEN = (math.nan, math.inf, -math.inf)


def run_of(strategy: Strategy, total_steps: int) -> RunInfo:
    """Return the description of a run by the user's own optimizer, rewound if that may be.

    Args:
        strategy: Its budget is the run's.
        total_steps: Optimizer steps of the run.
    """
    budget = strategy.budget * total_steps
    return RunInfo(
        total_steps=total_steps,
        budget=budget if math.isinf(budget) else int(budget),
        deadline=total_steps,
        own_rate=0.1,
        entries=(_OWN,),
        rewindable=strategy.rewinds,
    )


def bowl(candidate: Candidate, step: int) -> float:
    """Return a score that falls with the steps, and is lowest at a peak of 0.03.

    Args:
        candidate: It has a peak.
        step: Optimizer steps of the run so far.
    """
    assert candidate.peak is not None
    return 1.0 + abs(math.log(candidate.peak / _BEST)) + 10.0 / (1 + step)


class Played:
    """A search carried out on paper.

    Args:
        strategy: The strategy.
        run: The run.
        score: ``score(candidate, step)``.
        lose: At which of its probes the run is lost, by number; none by default.
        changed: Fields of every observation that are not the default.
    """

    def __init__(
        self,
        strategy: Strategy,
        run: RunInfo,
        score: Callable[[Candidate, int], float] = bowl,
        lose: Sequence[int] = (),
        **changed: object,
    ) -> None:
        self.states: list[State] = []
        self.spent = 0
        self._strategy, self._run, self._score = strategy, run, score
        self._lose, self._changed = lose, {"steps_left": ..., **changed}
        self._step, self._probes, self._saved = 0, 0, False
        self.end = self._play()

    def _play(self) -> Commit:
        state: State = self._strategy.begin(self._run)
        for _ in range(_MOST_ACTIONS):
            self.states.append(state)
            action = state.action
            if isinstance(action, Commit):
                return action
            observed = self._carried_out(action)
            state = state.observe(observed)
            if _is_over(action, observed, state):
                return Commit(action.run)
        pytest.fail(f"no Commit within {_MOST_ACTIONS} actions")

    def _carried_out(self, action: Probe | Save | Rollback | Train) -> Observation:
        assert isinstance(action, Train) == self._run.rewindable, "see Strategy.rewinds"
        if isinstance(action, Probe):
            return self._probed(action)
        if isinstance(action, Train):
            return self._trained(action)
        if isinstance(action, Rollback):
            assert self._saved, "Rollback before any Save"
        self._saved = True
        return self._observation()

    def _probed(self, probe: Probe) -> Observation:
        run, number = self._run, self._probes
        self._probes += 1
        begin = max(self._step, probe.start)
        assert begin < probe.horizon <= run.deadline, "a probe's horizon is past, or too late"
        assert 0 <= probe.window <= probe.horizon, "a probe's window"
        assert len(set(probe.candidates)) == len(probe.candidates), "a probe's equal candidates"
        if number in self._lose:
            self._step = max(self._step + 1, probe.start)
            every = tuple(range(len(probe.candidates)))
            infinite = (math.inf,) * len(every)
            diverged = () if probe.annealed else every[::-1]
            return self._observation(scores=infinite, diverged=diverged, lost=True)
        copies = len(probe.candidates) - (not probe.annealed)
        self.spent += copies * (probe.horizon - probe.start)
        self._step = probe.horizon
        scores = tuple(self._score(candidate, self._step) for candidate in probe.candidates)
        return self._observation(scores=scores)

    def _trained(self, action: Train) -> Observation:
        assert action.steps > 0
        scores = (self._score(action.run, self._step + k) for k in range(action.steps))
        losses = list(_until_broken(scores))
        self.spent += len(losses) if action.rewind else 0
        self._step += 0 if action.rewind else action.steps
        assert self._step <= self._run.total_steps
        return self._observation(losses=tuple(losses))

    def _observation(self, **fields: object) -> Observation:
        left = self._run.total_steps - self._step
        changed = {k: left if v is ... else v for k, v in self._changed.items()}
        return dataclasses.replace(Observation(self._step), **{**fields, **changed})  # type: ignore[arg-type]


def _is_over(action: Action, observed: Observation, then: State) -> bool:
    """Return whether training has ended with an error."""
    if observed.lost:
        return not isinstance(then.action, Rollback)
    run = isinstance(action, Train) and not action.rewind
    return run and not math.isfinite(observed.losses[-1])


def _until_broken(losses: Iterator[float]) -> Iterator[float]:
    for loss in losses:
        yield loss
        if not math.isfinite(loss):
            return


class StrategyContract:
    """Inherit it, and override the fixture `strategy`. Experimental."""

    @pytest.fixture
    def strategy(self) -> Strategy:
        """Return the strategy that is tested."""
        raise NotImplementedError("override this fixture with one that returns a strategy")

    @pytest.fixture(params=LENGTHS)
    def run(self, strategy: Strategy, request: pytest.FixtureRequest) -> RunInfo:
        """Return a run, of each length in turn."""
        return run_of(strategy, request.param)

    def test_it_is_a_frozen_dataclass_and_so_is_its_state(
        self, strategy: Strategy, run: RunInfo
    ) -> None:
        for value in (strategy, *Played(strategy, run).states[:3]):
            assert dataclasses.is_dataclass(value)
            name = next(iter(dataclasses.fields(value))).name
            with pytest.raises(dataclasses.FrozenInstanceError):
                setattr(value, name, None)

    def test_it_ends_with_a_commit_within_its_budget(
        self, strategy: Strategy, run: RunInfo
    ) -> None:
        played = Played(strategy, run)
        assert played.spent <= run.budget
        assert played.end.candidate.peak is not None
        assert math.isfinite(played.end.candidate.peak)

    def test_no_probe_ends_behind_the_deadline(self, strategy: Strategy) -> None:
        if not strategy.rewinds:
            Played(strategy, dataclasses.replace(run_of(strategy, 1000), deadline=300))

    def test_equal_observations_give_equal_states(self, strategy: Strategy, run: RunInfo) -> None:
        first, second = Played(strategy, run), Played(strategy, run)
        assert first.states == second.states
        for one, other in zip(first.states[:5], second.states[:5], strict=True):
            assert one.action == other.action

    def test_observing_leaves_a_state_as_it_was(self, strategy: Strategy) -> None:
        states = Played(strategy, run_of(strategy, 1000)).states
        before = [json.dumps(state.to_dict()) for state in states]
        Played(strategy, run_of(strategy, 1000))
        assert [json.dumps(state.to_dict()) for state in states] == before

    @pytest.mark.parametrize("broken", [None, math.nan, math.inf])
    def test_every_state_comes_back_equal_from_json(
        self, strategy: Strategy, run: RunInfo, broken: float | None
    ) -> None:
        def score(candidate: Candidate, step: int) -> float:
            return bowl(candidate, step) if broken is None else broken

        for state in Played(strategy, run, score).states:
            text = json.dumps(state.to_dict(), allow_nan=False)
            back = strategy.state_from_dict(json.loads(text))
            assert back == state
            assert back.action == state.action

    @pytest.mark.parametrize("broken", _BROKEN)
    def test_scores_that_are_not_finite_do_not_stop_it(
        self, strategy: Strategy, run: RunInfo, broken: float
    ) -> None:
        Played(strategy, run, lambda *_: broken)
        half = Played(strategy, run, lambda c, k: broken if (c.peak or 0) > _BEST else bowl(c, k))
        assert half.spent <= run.budget

    @pytest.mark.parametrize("lose", [(0,), (1,), (2,), (1, 2), (1, 3, 4, 5, 6, 7, 8, 9)])
    def test_a_run_that_is_lost_is_rolled_back_or_given_up(
        self, strategy: Strategy, lose: tuple[int, ...]
    ) -> None:
        Played(strategy, run_of(strategy, 1000), lose=lose)

    @pytest.mark.parametrize("given", GIVEN.values(), ids=GIVEN)
    def test_what_a_user_can_give_is_taken_or_refused(
        self, strategy: Strategy, run: RunInfo, given: dict[str, Any]
    ) -> None:
        with contextlib.suppress(ConfigError):
            assert Played(strategy, dataclasses.replace(run, **given)).spent <= run.budget

    def test_fields_that_are_not_known_do_not_stop_it(
        self, strategy: Strategy, run: RunInfo
    ) -> None:
        assert Played(strategy, run, steps_left=None).spent <= run.budget

    def test_a_request_to_stop_does_not_stop_it(self, strategy: Strategy, run: RunInfo) -> None:
        assert Played(strategy, run, stop_requested=True).spent <= run.budget

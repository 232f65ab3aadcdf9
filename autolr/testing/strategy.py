"""What every search strategy must do."""

import contextlib
import dataclasses
import json
import math
from itertools import product
from typing import Any

import pytest

from autolr import schedules
from autolr.candidate import Candidate
from autolr.errors import ConfigError
from autolr.online import PeakRange, RaceEntry, RunInfo, Strategy
from autolr.testing.played import Played
from autolr.testing.runs import BEST, OWN, bowl, run_of

LENGTHS = (1, 7, 50, 1000, 20_000)
"""Runs, in optimizer steps."""

GIVEN: dict[str, dict[str, Any]] = {
    "one peak": {"entries": (RaceEntry(PeakRange.between(0.1, 0.1)),)},
    "limits": {"entries": (RaceEntry(PeakRange.between(0.01, 0.1)),)},
    "a schedule": {"schedule": schedules.warmup(0.2) | schedules.cosine(), "rise": 10},
    "profiles": {"profiles": (schedules.linear(), schedules.rex())},
    "rules": {"entries": (OWN, RaceEntry(PeakRange.around(1.0), "sps_max"))},
    "no own rule": {"entries": (RaceEntry(PeakRange.around(1.0), "sps_max"),)},
}
"""What a run may differ in from that of `run_of`."""

_BROKEN = (math.nan, math.inf, -math.inf)


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
        half = Played(strategy, run, lambda c, k: broken if (c.peak or 0) > BEST else bowl(c, k))
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

    @pytest.mark.parametrize("scatter", [0.0, 0.5], ids=["without noise", "with noise"])
    @pytest.mark.parametrize("gain", [0.0, 1e-4, 0.3, -1.0])
    def test_scores_that_are_near_that_of_the_untrained_run_do_not_stop_it(
        self, strategy: Strategy, gain: float, scatter: float
    ) -> None:
        def score(candidate: Candidate, step: int) -> float:
            return 2.0 - gain * bowl(candidate, step) / bowl(candidate, 0)

        apart = [scatter * (-1) ** n for n in range(6)]
        first = {"initial": 2.0, "initial_batches": tuple(2.0 + value for value in apart)}
        for steps, inactive in product((60, 150, 1000), (0.0, 1.0)):
            run = run_of(strategy, steps)
            played = Played(strategy, run, score, batches=apart, inactive=inactive, fields=first)
            assert played.spent <= run.budget
            for state in played.states[:: 1 + len(played.states) // 20]:  # of thousands
                text = json.dumps(state.to_dict(), allow_nan=False)
                assert strategy.state_from_dict(json.loads(text)) == state

    def test_fields_that_are_not_known_do_not_stop_it(
        self, strategy: Strategy, run: RunInfo
    ) -> None:
        assert Played(strategy, run, fields={"steps_left": None}).spent <= run.budget

    def test_a_request_to_stop_does_not_stop_it(self, strategy: Strategy, run: RunInfo) -> None:
        assert Played(strategy, run, fields={"stop_requested": True}).spent <= run.budget

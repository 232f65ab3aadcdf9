"""What is on record of a search, whatever its strategy."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import json
import math

import pytest

from autolr import schedules
from autolr.candidate import Candidate
from autolr.errors import ConfigError, DivergedError
from autolr.online import (
    Annealed,
    AnnealedState,
    Check,
    Commit,
    Observation,
    PeakRange,
    Probe,
    Progress,
    Rollback,
    RollbackRecord,
    Round,
    Save,
    Scan,
    Search,
    Thresholds,
)
from autolr.online.reschedule import scaled
from tests.online.runs import run_of

LOW, HIGH = (Candidate(peak=peak, schedule=schedules.constant()) for peak in (0.1, 0.2))
ROUNDS = (Round(0, 20, 6), Round(30, 40, 6, (0.5,)), *(Round(k - 6, k, 6) for k in (60, 80, 100)))
STRATEGY = Annealed(thresholds=Thresholds(rollbacks=2, stall=0.0))


def begun(**fields):
    state = AnnealedState(Search((LOW, HIGH), ROUNDS, STRATEGY.thresholds))
    return Progress(state, **fields)


def raced():
    return begun().observe(Observation(20, (2.0, 1.0)))


def saved():
    return raced().observe(Observation(20))


def lost(search, step):
    return search.observe(Observation(step, (math.inf,) * len(search.candidates), lost=True))


def test_after_the_race_the_winners_state_is_saved_and_its_scores_are_on_record():
    search = raced()
    assert search.action == Save(HIGH)
    assert [(scored.candidate, scored.score, scored.kept) for scored in search.scores] == [
        (LOW, 2.0, False),
        (HIGH, 1.0, True),
    ]
    assert saved().best == (20, 1.0)
    assert saved().candidates == (HIGH, scaled(HIGH, 30, 0.5, refines=False))


def test_a_run_whose_score_is_not_a_number_is_rolled_back_and_that_is_on_record():
    search = saved().observe(Observation(40, (math.nan, math.nan)))
    assert search.action == Rollback(HIGH, factor=0.5)
    assert search.rollbacks == (RollbackRecord(40, 20, 0.5, math.inf),)
    search = search.observe(Observation(40))
    assert search.candidates == (scaled(HIGH, 40, 0.5, refines=False),)
    assert search.rollbacks == (RollbackRecord(40, 20, 0.5, math.inf),)


def test_a_run_that_is_lost_is_rolled_back_in_the_middle_of_a_probe():
    search = lost(saved(), 33)
    assert search.action == Rollback(HIGH, factor=0.5)
    assert search.rollbacks == (RollbackRecord(33, 20, 0.5, math.inf),)
    assert search.scores == saved().scores


def test_a_rollback_is_not_saved_for_where_none_can_follow():
    for rollbacks, action in ((1, Save), (0, Probe)):
        state = AnnealedState(Search((LOW, HIGH), ROUNDS, Thresholds(rollbacks=rollbacks)))
        assert isinstance(state.observe(Observation(20, (2.0, 1.0))).action, action)
    state = AnnealedState(Search((LOW, HIGH), ROUNDS[:1]))
    assert state.observe(Observation(20, (2.0, 1.0))).action == Commit(HIGH)


def test_a_run_that_is_lost_once_too_often_ends_with_an_error():
    search = saved()
    for step in (33, 36):
        search = lost(search, step).observe(Observation(step))
    with pytest.raises(DivergedError, match="step 39, after 2 rollbacks") as diverged:
        lost(search, 39)
    assert "\n" not in str(diverged.value)


def test_before_the_race_is_over_there_is_nothing_to_go_back_to():
    with pytest.raises(DivergedError, match=r"within 7 steps, down to 0\.1; .*rates=\(low, high\)"):
        lost(begun(), 7)


def test_a_rollback_without_a_saved_state_is_refused():
    class Hasty:
        action = Probe((LOW, HIGH), 0, 10, 3)

        def observe(self, observation):
            other = Hasty()
            other.action = Rollback(LOW)
            return other

    with pytest.raises(ConfigError, match="answered with Rollback before any Save"):
        Progress(Hasty()).observe(Observation(10, (1.0, 2.0)))


def test_a_candidate_that_was_dropped_has_no_score_and_its_side_is_not_tried_again():
    checks = (Check(0.1, 0.2, (0.5, 2.0), refines=True), Check(0.5, 0.6, (0.5, 2.0)))
    search = Progress(Annealed(3, checks=checks).begin(run_of(PeakRange.between(0.01, 100.0))))
    race = search.action
    dropped = race.candidates[-1]
    search = search.observe(Observation(race.horizon, (2.0, 1.0, math.inf), diverged=(2,)))
    assert dropped not in [scored.candidate for scored in search.scores]
    search = search.observe(Observation(race.horizon))
    run, _, double = search.candidates
    assert double.peak > run.peak
    scores = (0.5, 0.5, math.inf)
    search = search.observe(Observation(search.action.horizon, scores, diverged=(2,)))
    search = search.observe(Observation(200))
    assert all(rival.peak <= run.peak for rival in search.candidates)
    assert len(search.candidates) == 2


def test_scores_that_are_not_finite_are_infinite_on_record():
    search = begun().observe(Observation(20, (math.nan, 1.0)))
    assert search.scores[0].score == math.inf


def test_a_probe_is_due_at_both_ends():
    due = [step for step in range(60) if saved().is_due(step, within=2)]
    assert due == [28, 29, 30, 38, 39, 40]


@pytest.mark.parametrize("search", [begun(), raced(), saved(), lost(saved(), 33)])
def test_it_comes_back_equal_from_json(search):
    text = json.dumps(search.to_dict(), allow_nan=False)
    assert Progress.from_dict(json.loads(text), STRATEGY) == search


def test_a_scan_is_stored_with_it():
    search = begun(scan=Scan(1e-6, 1e3, 12, (1.0, math.inf)))
    assert Progress.from_dict(json.loads(json.dumps(search.to_dict())), STRATEGY) == search

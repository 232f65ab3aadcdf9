"""A metric that is not finite at any score: when does the search end, and at which rate?"""
# mypy: allow-untyped-calls, no-check-untyped-defs

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from autolr import schedules
from autolr.candidate import Candidate
from autolr.online import (
    Annealed,
    AnnealedState,
    AutoLRS,
    Commit,
    Monitor,
    Observation,
    PeakRange,
    Progress,
    Rollback,
    Round,
    Save,
    Search,
    SearchSettings,
    Train,
)
from autolr.online.evidence import Evidence
from autolr.online.search_serialization import search_from_dict, search_to_dict
from autolr.result import Result, closing, load_result, progress_lines
from autolr.result.page import result_page
from autolr.rules.fixed import OWN
from tests.online.runs import run_of, search_of

PEAKS = (0.01, 0.1, 1.0)
OWN_PEAK = 0.03
ROUNDS = (
    Round(0, 20, 6),
    Round(30, 40, 6, factors=(0.5, 2.0), refines=True),
    Round(60, 70, 6, factors=(0.5, 2.0)),
    Round(90, 100, 6, factors=(0.5, 2.0)),
)
NAN = math.nan
STEPS = 200


def begun(rounds=ROUNDS, **settings):
    alive = tuple(Candidate(peak=peak, schedule=schedules.constant()) for peak in PEAKS)
    return Search(alive, rounds, **{"fallback": (OWN, OWN_PEAK), "ends": (0.01, 1.0), **settings})


def rates(candidate):
    return candidate.peak * candidate.schedule.values(STEPS)


def progress(rounds=ROUNDS):
    return Progress(AnnealedState(begun(rounds)))


def observed(search, *rounds):
    """Return the progress after these scores of rounds, and what the strategy does then."""
    for scores in rounds:
        step = search.probe.horizon
        search = search.observe(Observation(step, tuple(scores)))
        while isinstance(search.action, Save | Rollback):
            search = search.observe(Observation(step))
    return search


def actual(search):
    counts = {"probe_steps": 60, "validation_passes": 6}
    monitor = Monitor("val_auc", "max")
    return Result.of(search, search.action.run, STEPS, monitor=monitor, **counts)


@pytest.mark.parametrize("broken", [NAN, math.inf, -math.inf])
def test_a_race_and_a_round_without_a_finite_score_end_the_search(broken):
    search = begun().observe(Evidence(tuple([broken] * 3)))
    assert search.rounds == ROUNDS[1:]
    search = search.observe(Evidence(tuple([broken] * 3)))
    assert search.rounds == ()
    assert search.blind


def test_the_rival_next_to_the_fallback_is_tried_and_then_the_fallback_itself():
    search = begun().observe(Evidence(tuple([NAN] * 3)))
    assert search.alive[0].peak == 0.01  # 0.03 is nearer to it than to 0.1
    end = search.observe(Evidence(tuple([NAN] * 3))).alive[0]
    assert end.peak == OWN_PEAK
    assert rates(end) == pytest.approx([0.01] * 40 + [OWN_PEAK] * 160, rel=1e-12)
    assert rates(end)[-1] == OWN_PEAK


def test_a_rate_that_raced_is_kept_from_the_first_step():
    search = (
        begun(fallback=(OWN, 0.1))
        .observe(Evidence(tuple([NAN] * 3)))
        .observe(Evidence(tuple([NAN] * 3)))
    )
    assert search.alive == (Candidate(peak=0.1, schedule=schedules.constant()),)


def test_without_a_later_round_the_race_ends_the_search():
    search = begun(ROUNDS[:1]).observe(Evidence(tuple([NAN] * 3)))
    assert (search.blind, search.alive[0].peak, rates(search.alive[0])[-1]) == (True, 0.03, 0.03)


def test_a_metric_that_is_undefined_at_first_is_compared_as_soon_as_it_is_there():
    search = begun().observe(Evidence(tuple([NAN] * 3))).observe(Evidence((2.0, 3.0, 1.0)))
    assert not search.blind
    assert search.alive[0].peak == pytest.approx(0.02)
    search = search.observe(Evidence((1.0, 2.0, 0.5)))  # which is clearly better than it stalled
    assert search.alive[0].peak == pytest.approx(0.04)
    assert search.rollbacks == ()


def test_a_check_that_does_not_refine_is_compared_too_when_it_is_the_first_with_scores():
    search = begun((ROUNDS[0], *ROUNDS[2:])).observe(Evidence(tuple([NAN] * 3)))
    assert [one.kept for one in search.observe(Evidence((2.0, 3.0, 1.0))).scores[-3:]] == [
        False,
        False,
        True,
    ]


def test_one_finite_score_is_a_comparison_and_those_that_are_not_lose():
    search = begun().observe(Evidence((NAN, NAN, 5.0)))
    assert not search.blind
    assert search.alive[0].peak == 1.0
    again = search.observe(
        Evidence(tuple([NAN] * 3))
    )  # broken later: the run is put back, as after a divergence
    assert again.rounds
    assert len(again.rollbacks) == 1


def test_equal_scores_are_a_tie_and_not_nothing():
    search = begun().observe(Evidence(tuple([0.5] * 3))).observe(Evidence(tuple([0.5] * 3)))
    assert not search.blind
    assert search.rounds == ROUNDS[2:]


def test_a_run_that_is_only_followed_is_scored_to_its_end():
    alone = replace(begun(), alive=begun().alive[:1])
    for _ in ROUNDS:
        alone = alone.observe(Evidence((NAN,)))
        alone = replace(alone, alive=alone.alive[:1])
    assert not alone.blind
    assert alone.alive[0].peak == 0.01


def test_of_several_rules_the_users_own_optimizer_continues():
    names = ("lion", OWN, OWN)
    alive = tuple(
        Candidate(rule, peak, schedules.constant()) for rule, peak in zip(names, PEAKS, strict=True)
    )
    limits = tuple((rule, (0.0, math.inf, 0.0, math.inf)) for rule in dict.fromkeys(names))
    search = Search(alive, ROUNDS, fallback=(OWN, 0.01), limits=limits).observe(
        Evidence(tuple([NAN] * 3))
    )
    assert (search.alive[0].rule, search.alive[0].peak) == (OWN, 0.1)


def test_a_search_that_has_seen_nothing_yet_survives_a_checkpoint():
    search = begun().observe(Evidence(tuple([NAN] * 3)))
    again = search_from_dict(json.loads(json.dumps(search_to_dict(search))))
    assert again == search
    assert again.observe(Evidence(tuple([NAN] * 3))) == search.observe(Evidence(tuple([NAN] * 3)))


def test_the_state_of_the_rival_that_continues_is_activated_before_its_peak_is_changed():
    state = AnnealedState(replace(begun(ROUNDS[:1]), fallback=(OWN, OWN_PEAK)))
    state = state.observe(Observation(20, (NAN,) * 3))
    assert state.action == Save(begun().alive[0])
    end = state.observe(Observation(20)).action
    assert isinstance(end, Commit)
    assert end.run.peak == OWN_PEAK


def test_where_the_rival_keeps_its_peak_nothing_is_put_in_place_first():
    state = AnnealedState(replace(begun(ROUNDS[:1]), fallback=(OWN, 0.1)))
    assert state.observe(Observation(20, (NAN,) * 3)).action == Commit(begun().alive[1])


@pytest.mark.parametrize(
    ("settings", "own", "fallback"),
    [
        ({}, 0.02, 0.02),
        ({}, None, 0.001),  # the customary one
        ({"rates": (1e-4, 1e-2)}, 3e-3, 3e-3),
        ({"rates": (1e-4, 1e-2)}, 1.0, 1e-3),  # outside: the middle
        ({"rates": (1e-4, 1e-2)}, None, 1e-3),
        ({"rates": (0.5, 0.5)}, 0.1, 0.5),
    ],
)
def test_the_fallback_is_the_users_rate_within_his_limits_else_the_customary_one(
    settings, own, fallback
):
    run = SearchSettings(**settings).run_info(0.001, 1000, users_peak=own)
    assert run.fallback == (OWN, pytest.approx(fallback, rel=1e-12))


# --- what is printed and written of it


def test_no_peak_is_written_and_the_rate_of_the_run_is(tmp_path):
    result = actual(observed(progress(), [NAN] * 3, [NAN] * 3))
    assert (result.peak, result.compared, result.run_peak) == (None, False, OWN_PEAK)
    result.save(tmp_path)
    stored = json.loads((tmp_path / "result.json").read_text())
    assert (stored["peak"], stored["kept_peak"]) == (None, OWN_PEAK)
    assert load_result(tmp_path) == result
    html = (tmp_path / "result.html").read_text()
    assert "No peak: nothing could be compared, the run kept 0.03" in html
    assert "made with lr=0.03" in html
    assert ">nan<" not in html


def test_a_result_of_before_is_read(tmp_path):
    result = actual(observed(progress(), [3.0, 1.0, 2.0]))
    old = result.to_dict()
    del old["kept_peak"]
    (tmp_path / "result.json").write_text(json.dumps(old))
    assert load_result(tmp_path) == result
    assert (result.compared, result.run_peak) == (True, 0.1)


def test_one_line_says_what_could_not_be_compared():
    before = progress()
    after = observed(before, [NAN] * 3)
    assert list(progress_lines(before, after, STEPS, Monitor("val_auc"))) == []
    end = observed(after, [NAN] * 3)
    assert list(progress_lines(after, end, STEPS, Monitor("val_auc"))) == []
    assert closing(actual(end)) == (
        "AutoLR: nothing could be compared: val_auc was not finite in any of 6 probes (60 steps "
        "beside the run's 200); the run keeps a peak of 0.03"
    )


def test_the_page_of_a_single_blind_race_can_be_drawn():
    assert "no val_auc was finite" in result_page(actual(observed(progress(ROUNDS[:1]), [NAN] * 3)))


# --- AutoLRS


def run_of_autolrs():
    run = run_of(PeakRange.around(0.1), total_steps=80)
    return replace(run, own_rate=0.05, rewindable=True)


def test_a_stage_without_a_finite_forecast_keeps_the_users_rate_to_the_end():
    strategy = AutoLRS(probes=3)
    state, actions = strategy.begin(run_of_autolrs()), []
    while isinstance(action := state.action, Train):
        actions.append(action)
        state = state.observe(Observation(0, losses=(NAN if action.rewind else 1.0,)))
        assert strategy.state_from_dict(json.loads(json.dumps(state.to_dict()))) == state
    assert [action.rewind for action in actions] == [True] * 3 + [False] * 4
    assert {action.run.peak for action in actions[3:]} == {0.05}
    assert state.blind
    assert not any(scored.kept for scored in action.scores)
    assert actual(Progress(state)).run_peak == 0.05
    assert not actual(Progress(state)).compared


def test_a_later_stage_without_a_finite_forecast_is_no_such_thing():
    state = AutoLRS(probes=2).begin(run_of_autolrs())
    for loss in (1.0, 2.0, 1.0, NAN, NAN):  # two probes, their stage, two probes
        state = state.observe(Observation(0, losses=(loss,)))
    lowest = min(trial.rate for trial in state.trials)
    assert (state.action.run.peak, state.action.steps, state.action.rewind) == (lowest, 20, False)
    assert not state.blind


def test_the_plan_of_a_search_knows_what_to_keep():
    search = search_of(Annealed(), PeakRange.around(1e-3))
    assert search.fallback == (OWN, 1e-3)
    for _ in range(2):
        search = search.observe(Evidence(tuple([NAN] * len(search.alive))))
    assert search.rounds == ()
    applied = rates(search.alive[0])
    assert np.all(applied <= 1e-3)
    assert set(applied[60:]) == {1e-3}  # the user has set no decay


def test_a_schedule_that_was_given_stays_where_nothing_can_be_compared():
    given = schedules.cosine()
    run = replace(run_of(PeakRange.around(1e-3)), schedule=given)
    search = Annealed().begin(run).search
    for _ in range(2):
        search = search.observe(Evidence(tuple([NAN] * len(search.alive))))
    assert search.rounds == ()
    assert search.alive[0].schedule == given

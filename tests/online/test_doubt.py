"""The run against its own past."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import math
from dataclasses import replace

import numpy as np
import pytest

from autolr import schedules
from autolr.candidate import Candidate
from autolr.errors import ConfigError
from autolr.online import Annealed, RollbackRecord, Round, Search, Thresholds
from autolr.online.evidence import Evidence
from autolr.online.reschedule import scaled

PEAKS = (0.1, 0.2, 0.4, 0.8)
WATCHES = tuple(Round(step - 6, step, 6) for step in range(30, 300, 30))
THRESHOLDS = Thresholds(band=0.04, least=0.01, rollbacks=3)
RUN = Candidate(peak=0.4, schedule=schedules.constant())


def watched(*scores, spare=60, batches=1, **settings):
    """Return a search whose run has these scores, in so many batches, after 1.0 in the race."""
    candidates = tuple(replace(RUN, peak=peak) for peak in PEAKS)
    rounds = (Round(0, 20, 6), *WATCHES)
    search = Search(candidates, rounds, THRESHOLDS, spare=spare, **settings)
    for one in ((2.0, 2.0, 1.0, 2.0), *((score,) for score in scores)):
        by_batch = tuple((score,) * batches for score in one)
        search = search.observe(Evidence(one, by_batch, 3.0, (3.0,) * batches))
    return search


def test_a_rise_beyond_the_band_trains_a_copy_of_the_best_state_beside_the_run():
    search = watched(0.5, 0.53)
    assert search.action.from_saved
    assert (search.action.start, search.action.horizon, search.action.factor) == (60, 66, 0.5)
    run, saved, lower = search.alive
    assert (run, saved) == (RUN, scaled(RUN, 60, 0.5, refines=False))
    assert search.action.copied == saved
    rates = [one.peak * one.schedule.values(200) for one in (saved, lower)]
    np.testing.assert_allclose(*rates, rtol=1e-15)  # the run's own copy has the same rates
    assert (search.best, search.rollbacks, search.spare) == ((30, 0.5), (), 48)
    assert not watched(0.5, 0.51).action.from_saved


def test_the_copy_replaces_the_run_where_it_is_better_than_that_and_than_its_copy():
    search = watched(0.5, 0.53)
    back = search.observe(Evidence((0.54, 0.49, 0.535)))
    assert back.rollbacks == (RollbackRecord(step=60, to=30, factor=0.5, score=0.53),)
    assert back.alive == (scaled(RUN, 60, 0.5, refines=False),)
    assert back.best == (66, 0.49)
    assert back.improved
    rates = back.alive[0].peak * back.alive[0].schedule.values(200)
    np.testing.assert_allclose(rates, np.where(np.arange(200) < 60, 0.4, 0.2), rtol=1e-15)


def test_a_rise_that_the_copy_shares_is_the_tasks_own():
    search = watched(0.5, 0.53)
    for scores in ((0.54, 0.535, 0.54), (0.505, 0.5, 0.6), (0.54, math.nan, 0.54)):
        after = search.observe(Evidence(scores))
        assert after.rollbacks == ()
        assert after.alive == (RUN,)


@pytest.mark.parametrize("risen", [0.0, 0.2, 3.0])
def test_what_the_objective_itself_has_risen_by_in_the_meantime_is_no_matter(risen):
    scores = tuple(score + risen for score in (0.54, 0.49, 0.535))
    after = watched(0.5, 0.53).observe(Evidence(scores))
    assert [made.to for made in after.rollbacks] == [30]


def test_a_copy_that_gets_much_worse_itself_is_no_state_to_come_back_to():
    search = watched(0.5, 0.53)
    for scores, best in (((9.0, 0.9, 5.0), (30, 0.5)), ((9.0, 0.505, 5.0), (66, 0.505))):
        after = search.observe(Evidence(scores))
        assert len(after.rollbacks) == 1
        assert after.best == best
        assert after.doubts == 0


def test_scores_by_batch_tell_a_better_copy_from_a_lucky_one():
    search = watched(0.5, 0.53)
    rough = tuple(0.3 * (-1) ** i for i in range(8))
    noisy = [tuple(score + sign * b for b in rough) for score, sign in ((0.54, 1), (0.49, -1))]
    assert search.observe(Evidence((0.54, 0.49, 0.54), (*noisy, noisy[0]))).rollbacks == ()
    alike = tuple(tuple(score + b for b in rough) for score in (0.54, 0.49, 0.54))
    assert search.observe(Evidence((0.54, 0.49, 0.54), alike)).rollbacks != ()


def test_a_copy_that_leads_once_more_says_it_twice():
    search = watched(0.5, 0.53)
    rough = tuple(0.03 * (-1) ** i for i in range(8))  # 1.5 standard errors of the difference
    ahead = (0.53, 0.495, 0.53)
    rows = [tuple(s + sign * b for b in rough) for s, sign in zip(ahead, (1, -1, 1), strict=True)]
    once = search.observe(Evidence(ahead, tuple(rows)))
    assert once.rollbacks == ()
    while not once.action.from_saved:
        once = once.observe(Evidence((0.53,)))
    assert once.observe(Evidence(ahead, tuple(rows))).rollbacks != ()


@pytest.mark.parametrize(("run", "goes_back"), [(1.6, True), (0.9, False)])
def test_a_run_that_has_broken_on_some_batches_goes_back_by_one_standard_error(run, goes_back):
    search = watched(0.5, 0.53)  # of 3.0 before its first step: a quarter of the gain is 0.63
    broken, rise = (1.0, 0.0, 1.3, 0.0), run - 0.5  # 1.7 standard errors
    worse = tuple(0.5 + rise * share / np.mean(broken) for share in broken)
    after = search.observe(Evidence((run, 0.5, run), (worse, (0.5,) * 4, worse)))
    assert bool(after.rollbacks) is goes_back


def test_what_a_lower_rate_mends_at_once_is_no_reason_to_go_back():
    search = watched(0.5, 0.53)
    after = search.observe(Evidence((0.54, 0.49, 0.495)))
    assert after.rollbacks == ()
    assert after.alive == (search.alive[2],)
    assert after.best == (66, 0.495)
    recovered = search.observe(Evidence((0.505, 0.49, 0.495)))
    assert recovered.alive == (RUN,)


def test_a_run_that_has_lost_a_quarter_of_its_gain_takes_the_lower_rate_of_its_copy():
    search = watched(0.5, 0.53)  # of 3.0 before its first step
    fallen = search.observe(Evidence((1.2, 0.9, 0.9)))
    assert fallen.rollbacks == ()
    assert fallen.alive == (scaled(RUN, 60, 0.5, refines=True),)
    assert search.observe(Evidence((1.2, 1.195, 1.195))).alive == (RUN,)  # half of the band is 0.01
    assert search.observe(Evidence((1.1, 0.9, 0.9))).alive == (RUN,)  # that has lost less
    late = watched(0.5, 0.53, last=239)
    assert late.observe(Evidence((1.2, 0.9, 0.9))).alive == (RUN,)


def test_a_run_that_had_hardly_gained_has_not_fallen():
    search = replace(watched(0.5, 0.53), best=(30, 2.98))  # of 3.0 before its first step
    assert search.observe(Evidence((3.2, 3.1, 3.1))).alive == (RUN,)
    gained = replace(search, best=(30, 2.9))
    assert gained.observe(Evidence((3.2, 3.1, 3.1))).alive != (RUN,)


def test_the_next_copy_is_slower_and_after_three_that_lose_the_present_state_is_the_best():
    search, cuts = watched(0.5, 0.53), []
    while search.rounds and len(cuts) < 3:
        if search.action.from_saved:
            cuts.append(search.action.factor)
            search = search.observe(Evidence((0.55, 0.549, 0.55)))
        else:
            search = search.observe(Evidence((0.55,)))
    assert cuts == [0.5, 0.25, 0.125]
    assert search.best[1] == 0.55
    assert search.doubts == 0


def test_a_run_whose_scores_hardly_scatter_is_doubted_sooner():
    smooth = [0.455, 0.456, 0.458, 0.4605]
    assert watched(*smooth, 0.464).action.from_saved
    rough = [0.455, 0.461, 0.458, 0.4605]
    assert not watched(*rough, 0.464).action.from_saved


@pytest.mark.parametrize(
    ("best", "noise", "doubted"), [(2.98, 0.01, True), (2.98, 0.2, False), (2.9, 0.2, True)]
)
def test_a_run_that_had_hardly_gained_is_doubted_beyond_the_noise_of_its_batches(
    best, noise, doubted
):
    rough = tuple(noise * (-1) ** i for i in range(8))
    search = replace(
        watched(spare=60), best=(20, best), best_batches=tuple(best + b for b in rough)
    )
    risen = Evidence((3.05,), (tuple(3.05 - b for b in rough),))
    assert search.observe(risen).action.from_saved == doubted


def test_a_run_at_chance_is_never_doubted():
    rough = tuple(3.0 + 0.3 * (-1) ** i for i in range(8))
    search = watched(spare=60)
    search = replace(search, best=(20, 2.99), initial_batches=rough, best_batches=rough[::-1])
    assert not search.observe(Evidence((3.2,))).action.from_saved


@pytest.mark.parametrize(("best", "doubted"), [(2.986, False), (2.9, True)])
def test_without_batches_chance_is_one_percent_of_the_untrained_score(best, doubted):
    search = replace(watched(spare=60), best=(20, best), best_batches=())
    assert search.observe(Evidence((3.2,))).action.from_saved == doubted


def test_what_cannot_be_paid_is_not_tried_and_the_run_stays():
    assert not watched(0.5, 0.9, spare=11).action.from_saved
    assert watched(0.5, 0.9, spare=12).action.from_saved


LOOK = {"spare": 11, "last": 300}  # what a copy costs is not left


def test_where_no_copy_can_be_paid_a_fallen_run_is_compared_with_its_best_state_as_it_is():
    search = watched(
        0.5, 1.2, batches=4, **LOOK
    )  # of 3.0 before its first step: a quarter is 0.625
    assert (search.action.start, search.action.horizon) == (60, 60)
    assert search.alive == (RUN, saved := scaled(RUN, 60, 0.5, refines=False))
    assert search.action.copied == saved
    back = search.observe(Evidence((1.3, 0.5), ((1.3,) * 4, (0.5,) * 4)))
    assert back.rollbacks == (RollbackRecord(step=60, to=30, factor=0.5, score=1.2),)
    assert (back.alive, back.best, back.spare) == ((saved,), (60, 0.5), 11)
    assert [now.horizon for now in back.rounds] == [
        now.horizon for now in WATCHES if now.start > 60
    ]
    assert not watched(0.5, 1.1, batches=4, **LOOK).action.from_saved  # that has lost less


@pytest.mark.parametrize(("before", "looks"), [(0.5, True), (1.0, False)])
def test_a_fall_within_the_scatter_of_the_scores_before_it_is_none(before, looks):
    search = watched(0.5, before, 0.5, before, 0.5, before, 0.5, 1.2, batches=4, **LOOK)
    assert search.action.from_saved == looks


def test_where_the_noise_is_not_known_it_has_to_have_lost_half():
    assert not watched(0.5, 1.7, **LOOK).action.from_saved
    search = watched(0.5, 1.8, **LOOK)
    assert search.action.start == search.action.horizon
    assert search.observe(Evidence((1.8, 0.5))).rollbacks
    assert not search.observe(Evidence((1.8, 0.7))).rollbacks


def test_a_loss_that_has_risen_by_design_has_risen_for_the_best_state_too():
    search = watched(0.5, 1.8, **LOOK)
    for scores in ((1.8, 1.8), (1.8, 0.7), (0.6, 0.5), (1.9, math.nan), (1.9, 1.6)):
        after = search.observe(Evidence(scores))
        assert (after.alive, after.rollbacks) == ((RUN,), ())


def test_a_rise_within_the_noise_of_the_batches_is_no_loss():
    rough = (-1.0, 1.0, -1.0, 1.0)
    # one standard error where a quarter of the gain is lost, none where all is
    for score, noise, goes_back in (
        (1.2, 1, True),
        (1.2, 2, False),
        (2.2, 4, True),
        (3.1, 9, True),
    ):
        search = watched(0.5, score, batches=4, **LOOK)
        batches = (tuple(score + noise * b for b in rough), (0.5,) * 4)
        after = search.observe(Evidence((score, 0.5), batches))
        assert bool(after.rollbacks) == goes_back
        assert after.doubts == 0  # nothing was paid


def test_behind_the_last_round_a_fallen_run_still_goes_back():
    *_, before, end = (now.horizon for now in WATCHES)
    search = watched(*[0.5] * (len(WATCHES) - 1), 1.8, spare=60)
    assert search.action.start == search.action.horizon == end
    assert [made.to for made in search.observe(Evidence((1.8, 0.5))).rollbacks] == [before]


def test_rollbacks_are_limited():
    search = watched()
    for _ in range(3):
        search = search.observe(Evidence((1.5,))).observe(Evidence((1.5, 0.9, 1.5)))
        search = replace(search, best=(search.best[0], 0.9), spare=60)
    assert len(search.rollbacks) == 3
    assert not search.observe(Evidence((1.5,))).action.from_saved


@pytest.mark.parametrize(
    ("rollback", "rises", "lost"), [("auto", 1, 1), ("not-finite", 0, 1), ("never", 0, 0)]
)
def test_rollbacks_are_made_when_the_user_wants_them(rollback, rises, lost):
    assert watched(0.5, 0.9, rollback=rollback).action.from_saved == rises
    assert len(watched(0.5, math.nan, rollback=rollback).rollbacks) == lost
    assert watched(0.5, rollback=rollback).can_recover == lost


def test_another_way_to_roll_back_is_refused():
    with pytest.raises(ConfigError, match="rollback must be 'auto', 'never' or 'not-finite'"):
        Annealed(rollback="sometimes")


def unpaid(initial, *scores):
    """Return a search that can pay no copy, whose run has these scores behind its race."""
    search = Search((RUN,), (Round(0, 20, 6), *WATCHES), THRESHOLDS)
    for score in scores:
        search = search.observe(Evidence((score,), initial=initial))
    return search


@pytest.mark.parametrize(
    ("initial", "looks"), [(-0.47, False), (-0.25, False), (-0.35, True), (0.7, True)]
)
def test_what_may_be_noise_is_no_gain_that_a_run_has_lost(initial, looks):
    # an area under a curve of 0.51, then of 0.4, on one batch; 0.47 is of a model without a step
    search = unpaid(initial, -0.51, -0.4) if initial < 0 else unpaid(initial, 0.1, 0.6)
    assert search.action.from_saved == looks

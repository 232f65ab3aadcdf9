"""Comparisons that are held again."""
# mypy: allow-untyped-calls, no-check-untyped-defs

from dataclasses import replace

import pytest

from autolr import schedules
from autolr.candidate import Candidate
from autolr.online import Check, PeakRange, Round, Search, Thresholds
from autolr.online.annealed import Annealed
from autolr.online.evidence import Evidence
from autolr.online.rounds import price
from autolr.rules.fixed import OWN
from tests.online.runs import search_of

PEAKS = (0.00625, 0.025, 0.1, 0.4, 1.6)
RACE = Round(0, 20, 6)
REFINE = Round(20, 36, 10, factors=(0.5, 2.0), refines=True)
CHECKS = (Round(72, 92, 12, factors=(0.5, 2.0)), Round(160, 184, 14, factors=(0.5, 2.0)))
WATCHES = tuple(Round(step - 8, step, 40) for step in range(250, 780, 80))
START = 2.3


def begun(own=0.1, **settings):
    candidates = tuple(Candidate(peak=peak, schedule=schedules.constant()) for peak in PEAKS)
    rounds = (RACE, REFINE, *CHECKS, *WATCHES)
    return Search(candidates, rounds, fallback=(OWN, own), spare=8, **settings)


def seen(search, *scores, inactive=()):
    return search.observe(Evidence(scores, initial=START, inactive=inactive))


def peaks(search):
    return [candidate.peak for candidate in search.alive]


def most(search):
    """Return the steps that may still be made beside the run."""
    return search.spare + sum(r.price for r in search.rounds)


def test_a_race_that_shows_nothing_goes_on_with_the_own_peak_the_highest_and_one_between():
    search = seen(begun(own=0.025), 2.3, 2.29, 2.28, 2.27, 9.0)
    assert peaks(search) == [0.025, 0.4, 0.1]
    assert search.action.continues
    assert (search.action.start, search.action.horizon) == (20, 40)
    assert [s.kept for s in search.scores] == [False, True, False, False, False]


def test_it_continues_by_its_own_length_until_the_own_peak_has_left_the_start():
    search = seen(begun(own=0.025), 2.3, 2.29, 2.28, 2.27, 9.0)
    longest = seen(search, 2.29, 2.0, 2.1)  # the others have: they may not be the best in the end
    assert (longest.action.start, longest.action.horizon) == (40, 60)
    assert peaks(longest) == peaks(search)
    over = seen(search, 2.2, 2.1, 2.1)
    assert over.alive[0].peak == 0.025
    assert not over.rounds[0].continues
    assert not seen(longest, 2.29, 2.0, 2.1).rounds[0].continues


def test_where_the_highest_of_all_does_no_harm_one_beyond_it_joins():
    search = seen(begun(ends=(0.00625, 1.6)), *[2.3] * 5)
    assert peaks(search) == [0.1, 1.6, 6.4]
    rates = search.alive[2].peak * search.alive[2].schedule.values(800)
    assert rates[[0, 19, 20, 799]] == pytest.approx([0.1, 0.1, 6.4, 6.4])  # a copy of the own
    assert search.ends[1] == 6.4
    limited = seen(begun(highest=1.6), *[2.3] * 5)
    assert peaks(limited) == [0.1, 1.6, 0.4]


def test_where_nothing_is_higher_the_next_lower_ones_go_on():
    assert peaks(seen(begun(own=0.4), 2.3, 2.29, 2.28, 2.27, 9.0)) == [0.4, 0.1, 0.025]


def test_a_race_that_shows_something_is_over_and_costs_no_more():
    search = seen(begun(), 2.3, 2.2, 2.0, 1.9, 9.0)
    assert peaks(search) == [0.4, 0.2, 0.8, 0.1]  # the last is the user's own
    assert search.action.start == 20


def test_the_longer_race_is_paid_by_the_checks_behind_it():
    search = begun()
    before = price(search.rounds, 5) + search.spare
    longer = seen(search, *[2.3] * 5)
    spent = 4 * 20 + 2 * 20
    assert spent + most(longer) - longer.rounds[0].price <= before
    assert all(
        one.horizon <= r.start for one, r in zip(longer.rounds, longer.rounds[1:], strict=False)
    )
    assert longer.rounds[-1] == WATCHES[-1]


def test_the_lowest_of_what_then_ties_wins_unless_the_own_peak_is_among_it():
    longer = longest(begun(highest=1.6))  # the own 0.1, 1.6 and 0.4
    assert peaks(longer) == [0.1, 1.6, 0.4]
    assert seen(longer, 2.3, 1.5, 1.505).alive[0].peak == 0.4
    assert seen(longer, 2.05, 1.5, 1.505).alive[0].peak == 0.1  # not the best, and it learns
    assert seen(longer, 2.15, 1.5, 1.505).alive[0].peak == 0.4  # less than a quarter of the gain
    assert seen(longer, 2.3, 1.4, 1.5).alive[0].peak == 1.6
    dies = seen(longer, 2.2, 1.4, 2.0, inactive=(0.6, 0.6, 0.1))
    assert dies.alive[0].peak == 0.4  # the others lose their units
    slow = seen(longer, 2.2, 1.4, 2.26, inactive=(0.6, 0.6, 0.1))
    assert slow.alive[0].peak == 0.4  # however much they have gained


def test_one_beyond_wins_only_where_it_alone_has_left_the_start():
    longer = longest(begun())
    assert peaks(longer) == [0.1, 1.6, 6.4]
    assert seen(longer, 2.3, 2.05, 1.5).alive[0].peak == 1.6
    assert seen(longer, 2.3, 2.15, 1.5).alive[0].peak == 6.4
    assert seen(longer, 2.3, 2.3, 1.5).alive[0].peak == 6.4


def longest(search):
    """Return a search whose race has shown nothing and continues for the last time."""
    for _ in range(2):
        search = seen(search, *[2.3] * len(search.alive))
    assert search.action.horizon == 60
    return search


def test_where_there_is_still_nothing_the_own_peak_stays_and_the_race_is_held_again_later():
    longer = longest(begun())
    search = seen(longer, 2.3, 2.295, 2.295)
    run = search.alive[0]
    assert run.peak == 0.1
    again = next(r for r in search.rounds if r.factors)
    assert (again.start, again.factors) == (120, (0.25, 4.0, 16.0))
    assert most(search) <= most(longer)
    while search.action.start < 120:
        search = seen(search, 2.29)
    assert peaks(search) == [0.1, 0.025, 0.4, 1.6]
    assert seen(search, 2.29, 2.29, 2.29, 1.5).alive[0].peak == 1.6
    assert seen(search, 2.29, 2.29, 2.29, 2.29).alive[0].peak == 0.1


def test_where_the_run_has_left_the_start_by_itself_the_race_to_come_is_a_check():
    search = seen(longest(begun()), 2.3, 2.295, 2.295)
    before = most(search)
    while search.action.start < 120:
        search = seen(search, 1.8)
    assert peaks(search) == [0.1, 0.05, 0.2]
    assert most(search) == before


def test_without_a_first_score_nothing_goes_on():
    search = begun().observe(Evidence((2.3, 2.29, 2.28, 2.27, 9.0)))
    assert not search.rounds[0].continues


@pytest.mark.parametrize("gain", [0.05, 0.049, 0.02])
def test_a_lower_rate_that_leads_too_little_wins_if_its_lead_has_not_shrunk(gain):
    search = settled()
    again = search.observe(Evidence((0.6, 0.55)))
    assert (again.action.start, again.action.horizon, again.action.continues) == (92, 112, True)
    assert again.spare == search.spare - 20
    ended = again.observe(Evidence((0.5, 0.5 - gain)))
    assert ended.scores[-2].kept == (gain < again.rounds[0].lead)


def settled():
    """Return a search whose run has gained 0.4 since its last score, so that a rival needs 0.09."""
    search = Search(
        tuple(Candidate(peak=peak, schedule=schedules.constant()) for peak in PEAKS[:3]),
        (RACE, REFINE, Round(72, 92, 12, factors=(0.5,)), *WATCHES),
        spare=30,
    )
    return search.observe(Evidence((3.0, 1.5, 3.0))).observe(Evidence((1.0, 1.002, 1.002)))


def test_a_second_look_needs_a_lead_beyond_the_noise_and_steps_that_are_left():
    search = settled()
    assert not search.observe(Evidence((0.6, 0.599))).rounds[0].continues
    rough = tuple(0.6 + 0.1 * (-1) ** i for i in range(8))
    noisy = Evidence((0.6, 0.55), (rough, tuple(1.15 - b for b in rough)))
    assert not search.observe(noisy).rounds[0].continues
    poor = Search(search.alive, search.rounds, scores=search.scores, best=search.best)
    assert not poor.observe(Evidence((0.6, 0.55))).rounds[0].continues


def test_of_one_candidate_nothing_is_looked_at_twice():
    search = search_of(Annealed(checks=(Check(0.5, 0.5),)), PeakRange.between(0.1, 0.1))
    after = search.observe(Evidence((2.3,), initial=2.3))
    assert after.alive == search.alive
    assert after.rounds == search.rounds[1:]


def test_noise_decides_for_the_own_peak_and_not_for_the_lowest():
    rough = tuple(0.2 * (-1) ** i for i in range(8))
    scores = (1.5, 1.45, 1.42, 1.4, 3.0)
    batches = tuple(tuple(s + (b if i % 2 else -b) for b in rough) for i, s in enumerate(scores))
    search = begun().observe(Evidence(scores, batches, START, (START,) * 8))
    assert search.alive[0].peak == 0.1
    assert begun(own=1.6).observe(Evidence(scores, batches, START, (START,) * 8)).peak(0) == 0.1


def test_a_tie_is_of_what_has_been_gained():
    flat = (139.0, 138.9, 138.4, 138.0, 141.0)  # of 140: within 3 % of each other, far apart
    search = begun(own=0.00625).observe(Evidence(flat, initial=140.0, initial_batches=()))
    for _ in range(2):
        search = search.observe(Evidence((138.8, 137.0, 136.5), initial=140.0))
    assert search.alive[0].peak == 1.6
    assert Thresholds().tie * 137 > 138.8 - 137


def test_where_no_race_shows_anything_the_rate_stays_constant_as_the_user_has_it():
    rise, end = schedules.warmup(6), schedules.cooldown(0.4, "linear")
    annealed = rise | schedules.constant() | end
    for chosen in (True, False):
        candidates = tuple(Candidate(peak=peak, schedule=annealed) for peak in PEAKS)
        search = replace(begun(chose_schedule=chosen), alive=candidates)
        for _ in range(30):
            if search.rounds:
                search = seen(search, *[2.3] * len(search.alive))
        rates = search.alive[0].peak * search.alive[0].schedule.values(800)
        assert rates[200] == pytest.approx(0.1)
        assert (rates[-1] == pytest.approx(0.1)) == chosen  # else the user wants it to fall


def test_a_schedule_of_the_strategys_own_falls_where_something_has_been_seen():
    annealed = schedules.warmup(6) | schedules.constant() | schedules.cooldown(0.4, "linear")
    candidates = tuple(Candidate(peak=peak, schedule=annealed) for peak in PEAKS)
    search = replace(begun(chose_schedule=True), alive=candidates)
    longer = seen(search, *[2.3] * 5)
    end = seen(longer, 1.2, 1.5, 1.4).alive[0].schedule.values(800)
    assert end[-1] < 0.01


@pytest.mark.parametrize(("steps", "falls"), [(5, False), (6, True)])
def test_a_race_of_a_few_steps_that_leaves_the_own_peak_leaves_its_schedule(steps, falls):
    annealed = schedules.warmup(2) | schedules.constant() | schedules.cooldown(0.4, "linear")
    candidates = tuple(Candidate(peak=peak, schedule=annealed) for peak in PEAKS)
    rounds = (Round(0, steps, 2), Round(20, 26, 6))
    search = Search(candidates, rounds, fallback=(OWN, 0.1), chose_schedule=True)
    rates = seen(search, 2.2, 2.0, 1.5, 1.9, 2.2).alive[0].schedule.values(60)
    assert (rates[-1] < 0.1) == falls
    moved = seen(search, 2.2, 2.0, 1.9, 1.5, 2.2).alive[0].schedule.values(60)
    assert moved[-1] < 0.1


def test_no_rival_comes_near_a_peak_at_which_units_died():
    longer = seen(begun(), 2.3, 2.29, 2.28, 2.27, 9.0, inactive=(0.0, 0.0, 0.1, 0.1, 0.9))
    assert peaks(longer) == [0.1, 0.4, 0.025]
    after = seen(longer, 2.0, 1.5, 2.2, inactive=(0.1, 0.6, 0.1))
    assert after.alive_below == pytest.approx(0.2, rel=1e-3)
    assert max(peaks(after)) < 0.2
    assert (
        seen(longer, 2.0, 2.1, 2.2, inactive=(0.1, 0.1, 0.1)).alive_below < 0.8
    )  # 1.6 did at first


def test_the_own_peak_goes_on_even_where_it_silences_units():
    dying = (0.0, 0.0, 0.5, 0.6, 0.9)
    search = seen(begun(own=0.1), 2.3, 2.29, 2.28, 2.27, 9.0, inactive=dying)
    assert peaks(search) == [0.1, 0.025, 0.00625]
    harmful = seen(begun(own=0.4), 2.3, 2.29, 2.28, 2.6, 9.0)
    assert peaks(harmful) == [0.1, 0.025, 0.00625]


def test_a_gain_that_costs_units_decides_nothing_unless_it_is_large():
    scores = (2.3, 2.29, 2.28, 2.17, 9.0)  # 6 % below the start
    assert not seen(begun(), *scores).rounds[0].continues
    dying = (0.0, 0.0, 0.1, 0.6, 0.9)
    assert seen(begun(), *scores, inactive=dying).rounds[0].continues
    large = (2.3, 2.2, 2.1, 1.9, 9.0)
    assert not seen(begun(), *large, inactive=dying).rounds[0].continues

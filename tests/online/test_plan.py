"""The budget of a search, and the runs that are too short for one."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import math
from functools import cache
from itertools import cycle, pairwise

import pytest

from autolr import schedules
from autolr.errors import ConfigError
from autolr.online import (
    Annealed,
    Check,
    PeakRange,
    Round,
    SearchSettings,
    parse_strategy,
    plan_rounds,
)
from autolr.online.evidence import Evidence
from autolr.online.rounds import price
from tests.online.runs import search_of

LENGTHS = [*range(1, 60, 3), *range(60, 1000, 93), 1_000, 4_321, 20_000, 1_000_000]
BOX = PeakRange.around(1e-3)
RIVALS = (Check(0.1, 0.2, factors=(0.5, 2.0), refines=True), Check(0.5, 0.6, factors=(0.25,)))
WATCHED = (Check(0.3, 0.3), Check(0.8, 0.8))
STRATEGIES = {
    "the peak_range's": Annealed(),
    "one candidate": Annealed(candidates=1),
    "two": Annealed(candidates=2),
    "nine": Annealed(candidates=9),
    "a race only": Annealed(checks=()),
    "a long race": Annealed(race=0.4, checks=RIVALS),
    "one check after the other": Annealed(
        checks=tuple(Check(n / 8, (n + 1) / 8, factors=(0.5, 2.0)) for n in range(1, 7))
    ),
}


@cache
def quartered(strategy, steps):
    """Return the rounds of a search that may cost a quarter of its run."""
    return search_of(strategy, BOX, None, steps, steps // 4).rounds


@pytest.mark.parametrize("budget", [0.01, 0.25, 1.0])
@pytest.mark.parametrize("strategy", STRATEGIES.values(), ids=STRATEGIES)
def test_the_price_of_a_search_never_exceeds_its_cap(budget, strategy):
    shapes = cycle([None, schedules.cosine(), schedules.warmup(0.1)])
    for steps, schedule in zip(LENGTHS, shapes, strict=False):
        cap = int(budget * steps)
        search = search_of(strategy, BOX, schedule, steps, cap)
        assert price(search.rounds, len(search.alive)) <= cap


@pytest.mark.parametrize("strategy", STRATEGIES.values(), ids=STRATEGIES)
def test_the_price_is_what_a_simulated_search_spends(strategy):
    peak_range = PeakRange(BOX.low, BOX.high * 1e6, BOX.prior)  # so high that no rival lies outside
    for steps in LENGTHS[:-1]:
        search = search_of(strategy, peak_range, None, steps, steps // 4)
        spent, expected = 0, price(search.rounds, len(search.alive))
        for step in range(steps):
            if not search.rounds:
                break
            if step >= search.rounds[0].start:
                spent += len(search.alive) - 1
            if step + 1 == search.rounds[0].horizon:
                search = search.observe(Evidence(tuple([1.0] * len(search.alive))))
        assert spent == expected


@pytest.mark.parametrize("strategy", STRATEGIES.values(), ids=STRATEGIES)
def test_rounds_follow_each_other_and_end_within_the_run(strategy):
    for steps in LENGTHS:
        rounds = quartered(strategy, steps)
        assert all(r.start < r.horizon < steps for r in rounds)
        assert all(one.horizon <= other.start for one, other in pairwise(rounds))


@pytest.mark.parametrize("strategy", STRATEGIES.values(), ids=STRATEGIES)
def test_what_is_averaged_lies_behind_the_round_before_and_within_the_life_of_rivals(strategy):
    for steps in LENGTHS:
        rounds = quartered(strategy, steps)
        for reached, now in zip([0, *(r.horizon for r in rounds)], rounds, strict=False):
            assert 1 <= now.window <= now.horizon - reached
            if now.factors:
                assert now.window <= now.horizon - now.start


def test_a_long_run_keeps_the_wished_shares():
    steps, strategy = 10_000, Annealed()
    rounds = search_of(strategy, BOX, None, steps, steps).rounds
    race, later = rounds[0], rounds[1:]
    assert (race.start, race.horizon) == (0, strategy.race * steps)
    for check, result in zip(strategy.checks, later, strict=True):
        assert result.horizon == pytest.approx(check.end * steps, abs=1)
        assert (result.factors, result.refines) == (check.factors, check.refines)
        if check.factors:
            assert result.start == pytest.approx(check.start * steps, abs=1)


def test_a_smaller_cap_shortens_the_race_and_the_checks_alike():
    wished = plan_rounds(200, RIVALS, 1_000, candidates=5, cap=5_000)
    shrunk = plan_rounds(200, RIVALS, 1_000, candidates=5, cap=800)
    shares = [
        (small.horizon - small.start) / (large.horizon - large.start)
        for small, large in zip(shrunk, wished, strict=True)
    ]
    assert 0.5 < shares[0] < 1
    assert shares == pytest.approx([shares[0]] * 3, abs=0.01)  # rounds are whole steps


def test_the_last_check_with_rivals_is_given_up_before_the_race_is_shorter_than_12_steps():
    short = (Check(0.2, 0.22, (0.5, 2.0)), Check(0.5, 0.52, (0.25,)))  # 6 steps is the shortest

    def planned(cap):
        rounds = plan_rounds(20, short, 200, candidates=5, cap=cap)
        return rounds[0].horizon, [r.factors for r in rounds[1:]]

    assert planned(4 * 12 + 2 * 6 + 6) == (12, [(0.5, 2.0), (0.25,)])
    assert planned(4 * 12 + 2 * 6 + 5) == (13, [(0.5, 2.0), ()])
    assert planned(4 * 12 + 2 * 6 - 1) == (14, [(), ()])
    assert planned(4 * 12 - 1) == (11, [(), ()])
    assert plan_rounds(20, short, 200, candidates=5, cap=4 * 4 - 1) == ()


def test_a_check_without_rivals_costs_nothing_and_stays():
    rounds = plan_rounds(20, WATCHED, 200, candidates=2, cap=20)
    assert [r.horizon for r in rounds] == [20, 60, 160]
    assert price(rounds, candidates=2) == 20


def test_what_ends_too_late_for_the_run_is_left_out():
    late = (Check(0.5, 0.6, factors=(0.5,)), Check(0.97, 0.99, factors=(0.5,)))
    rounds = plan_rounds(20, late, 50, candidates=2, cap=50)
    assert rounds == (Round(0, 20, 6), Round(25, 31, 4, factors=(0.5,)))


def test_a_run_too_short_for_any_search_commits_to_the_prior_peak_at_once():
    search = search_of(Annealed(), BOX, None, 20, 5)
    assert (search.rounds, [c.peak for c in search.alive]) == ((), [BOX.prior])


def test_a_cap_that_five_candidates_exceed_is_tried_with_three():
    counts = {len(search_of(Annealed(), BOX, None, steps, steps // 4).alive) for steps in LENGTHS}
    assert counts == {1, 3, 5}


def test_a_single_candidate_is_scored_once_at_no_cost_and_followed():
    peak_range = PeakRange.between(0.01, 0.01)
    search = search_of(Annealed(checks=RIVALS), peak_range, None, 1_000, 0)
    (race,) = search.rounds
    assert [c.peak for c in search.alive] == [0.01]
    assert race.horizon == Annealed().race * 1_000
    assert price(search.rounds, 1) == 0


def test_a_race_does_not_end_before_a_short_rise_and_begins_within_a_long_one():
    early, late = (schedules.warmup(share) | schedules.constant() for share in (0.02, 0.1))
    first = search_of(Annealed(), BOX, early, 1_000, 10_000).rounds[0]
    assert (first.start, first.horizon) == (0, 28)  # 1.5 times 19, at which the peak is reached
    first = search_of(Annealed(), BOX, late, 1_000, 10_000).rounds[0]
    assert (first.start, first.horizon) == (33, 58)


def test_without_a_schedule_the_rate_has_risen_within_a_third_of_the_race():
    search = search_of(Annealed(), BOX, None, 10_000, 5_000)
    multipliers = search.alive[0].schedule.values(10_000)
    assert multipliers[search.rounds[0].horizon // 3] == multipliers.max() == 1


def test_peaks_are_even_in_log_rate_hold_the_prior_exactly_and_end_at_the_range():
    prior = 1e-3 / 3
    peaks = [
        c.peak for c in search_of(Annealed(), PeakRange.around(prior), None, 10_000, 5_000).alive
    ]
    assert peaks[0] == prior / 16
    assert peaks[2] == prior
    assert peaks[-1] == prior * 16
    assert [math.log2(b / a) for a, b in pairwise(peaks)] == pytest.approx([2.0] * 4, abs=1e-12)


def test_the_range_of_peaks_has_the_geometric_mean_as_its_prior():
    assert PeakRange.between(0.01, 1.0).prior == pytest.approx(0.1, rel=1e-15)
    assert PeakRange.between(0.3, 0.3).prior == 0.3


@pytest.mark.parametrize(
    "rates", [(0, 1), (-1, 1), (2, 1), (1, math.inf), (math.nan, 1), (1, math.nan)]
)
def test_the_range_of_peaks_refuses_rates_that_are_not_positive_finite_and_in_order(rates):
    with pytest.raises(ConfigError, match="rates must be"):
        PeakRange.between(*rates)


@pytest.mark.parametrize(
    "values",
    [
        {"candidates": 0},
        {"budget": 0},
        {"budget": -1},
        {"budget": math.inf},
        {"budget": math.nan},
        {"budget": True},
        {"budget": "0.25"},
        {"budget": None},
        {"race": 0},
        {"race": 1},
        {"checks": (Check(0.1, 0.2), Check(0.05, 0.1))},
        {"checks": (Check(0.1, 0.2), Check(0.15, 0.2))},
        {"checks": (Check(0.3, 0.2),)},
        {"checks": (Check(0.0, 0.1),)},
        {"checks": (Check(0.5, 1.0),)},
    ],
    ids=str,
)
def test_a_strategy_refuses_values_out_of_range(values):
    (name,) = values
    with pytest.raises(ConfigError, match=f"^{name} must be "):
        Annealed(**values)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("strategy", "random"),
        ("strategy", None),
        ("rates", 0.1),
        ("rates", (0.1,)),
        ("rates", (0.1, 0.2, 0.3)),
        ("rates", ("a", "b")),
        ("rates", (None, 1.0)),
        ("rates", "ab"),
        ("rates", (1.0, 0.1)),
        ("schedule", "no_such_profile"),
        ("schedule", 3),
        ("verify", "yes"),
    ],
    ids=str,
)
def test_settings_refuse_what_cannot_work_in_one_line(name, value):
    with pytest.raises(ConfigError, match=name) as refused:
        SearchSettings(**{name: value})
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("steps", [0, -3, 1.5, "10"])
def test_settings_refuse_a_run_of_no_steps(steps):
    with pytest.raises(ConfigError, match="total_steps must be a whole number"):
        SearchSettings().run_info(0.1, steps)


def test_the_run_begins_with_the_candidate_closest_to_the_prior():
    settings = SearchSettings()
    run = settings.run_info(0.1, 10_000)
    assert run.nearest(settings.begin(run).candidates).peak == 0.1
    limited = SearchSettings(rates=(0.01, 1.0))
    run = limited.run_info(7.0, 10_000)
    assert run.nearest(limited.begin(run).candidates).peak == pytest.approx(0.1, rel=1e-12)


def test_a_strategy_is_known_by_name_or_given_as_an_object():
    assert parse_strategy("annealed") == Annealed()
    assert parse_strategy(chosen := Annealed(candidates=3)) is chosen

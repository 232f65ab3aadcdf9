"""The budget of a search, and the runs that are too short for one."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import math
from itertools import pairwise

import pytest

from autolr import schedules
from autolr.errors import ConfigError
from autolr.online import Annealed, Box, Rung, SearchSettings, parse_strategy, plan_rungs
from autolr.online.plan import price

LENGTHS = [*range(1, 60), *range(60, 1000, 37), 1_000, 4_321, 20_000, 1_000_000]
BOX = Box.around(1e-3)


@pytest.mark.parametrize("budget", [0.01, 0.1, 0.25, 1.0])
@pytest.mark.parametrize("candidates", [1, 2, 3, 5, 9])
@pytest.mark.parametrize("schedule", [None, schedules.cosine(), schedules.warmup(0.1)])
def test_the_price_of_a_search_never_exceeds_its_cap(budget, candidates, schedule):
    strategy = Annealed(candidates=candidates)
    for steps in LENGTHS:
        cap = int(budget * steps)
        search = strategy.begin(BOX, schedule, steps, cap)
        assert price(search.rungs, len(search.alive)) <= cap


def test_the_price_is_what_a_simulated_search_spends():
    for steps in LENGTHS:
        search = Annealed().begin(BOX, None, steps, steps // 4)
        spent, expected = 0, price(search.rungs, len(search.alive))
        for step in range(steps):
            if not search.rungs:
                break
            rung = search.rungs[0]
            spent += len(search.alive) - 1
            spent += len(search.alive) * (step >= rung.horizon - rung.cooldown)
            if step + 1 == rung.horizon:
                search = search.observe([1.0] * len(search.alive))
        assert spent == expected


def test_rungs_rise_end_within_the_run_and_leave_room_for_each_cooldown():
    for steps in LENGTHS:
        reached = 0
        for rung in Annealed().begin(BOX, None, steps, steps // 4).rungs:
            assert reached < rung.horizon < steps
            assert 1 <= rung.cooldown <= rung.horizon - reached
            reached = rung.horizon


def test_a_long_run_keeps_the_wished_horizons():
    # 2 and 8 % of 10,000 steps; cooldowns are 0.3 of each
    rungs = Annealed().begin(BOX, None, 10_000, 5_000).rungs
    assert rungs == (Rung(200, 60, keep=2), Rung(800, 240, keep=1))


def test_a_smaller_cap_shortens_all_horizons_alike():
    wished = plan_rungs([200, 800], 0.3, candidates=5, cap=5_000)
    shrunk = plan_rungs([200, 800], 0.3, candidates=5, cap=1_500)
    shares = [small.horizon / large.horizon for small, large in zip(shrunk, wished, strict=True)]
    assert 0.5 < shares[0] < 1
    assert shares[0] == pytest.approx(shares[1], abs=0.01)  # horizons are whole steps


def test_the_last_rung_keeps_one_and_the_others_two():
    rungs = plan_rungs([20, 40, 80], 0.3, candidates=5, cap=10_000)
    assert [rung.keep for rung in rungs] == [2, 2, 1]


def test_a_run_too_short_for_any_search_commits_to_the_prior_peak_at_once():
    search = Annealed().begin(BOX, None, 20, 5)
    assert (search.rungs, [c.peak for c in search.alive]) == ((), [BOX.prior])


def test_a_cap_that_five_candidates_exceed_is_tried_with_three():
    counts = {len(Annealed().begin(BOX, None, steps, steps // 4).alive) for steps in LENGTHS}
    assert counts == {1, 3, 5}


def test_a_single_candidate_costs_its_smallest_probe():
    box = Box.between(0.01, 0.01)
    search = Annealed().begin(box, None, 1_000, 250)
    (rung,) = search.rungs
    assert [c.peak for c in search.alive] == [0.01]
    assert price(search.rungs, 1) == rung.cooldown == 6  # 0.3 of 2 % of the run


def test_a_probe_does_not_end_before_the_schedule_has_reached_its_peak():
    late = schedules.warmup(0.1) | schedules.constant()
    first = Annealed().begin(BOX, late, 1_000, 10_000).rungs[0]
    assert first.horizon == 148  # 1.5 times 99, the step at which the peak is reached


def test_peaks_are_even_in_log_rate_hold_the_prior_exactly_and_end_at_the_box():
    prior = 1e-3 / 3
    peaks = [c.peak for c in Annealed().begin(Box.around(prior), None, 10_000, 5_000).alive]
    assert peaks[0] == prior / 16
    assert peaks[2] == prior
    assert peaks[-1] == prior * 16
    assert [math.log2(b / a) for a, b in pairwise(peaks)] == pytest.approx([2.0] * 4, abs=1e-12)


def test_a_box_has_the_geometric_mean_as_its_prior():
    assert Box.between(0.01, 1.0).prior == pytest.approx(0.1, rel=1e-15)
    assert Box.between(0.3, 0.3).prior == 0.3


@pytest.mark.parametrize(
    "rates", [(0, 1), (-1, 1), (2, 1), (1, math.inf), (math.nan, 1), (1, math.nan)]
)
def test_a_box_refuses_rates_that_are_not_positive_finite_and_in_order(rates):
    with pytest.raises(ConfigError, match="rates must be"):
        Box.between(*rates)


@pytest.mark.parametrize(
    "values",
    [
        {"candidates": 0},
        {"horizons": ()},
        {"horizons": (0.1, 0.05)},
        {"horizons": (0.1, 0.1)},
        {"horizons": (0.0, 0.1)},
        {"horizons": (0.5, 1.0)},
        {"cooldown": 0},
        {"cooldown": 1},
        {"tie": -0.1},
        {"tie": 1},
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
        ("budget", 0),
        ("budget", -1),
        ("budget", math.inf),
        ("budget", math.nan),
        ("budget", True),
        ("budget", "0.25"),
        ("budget", None),
        ("rates", 0.1),
        ("rates", (0.1,)),
        ("rates", (0.1, 0.2, 0.3)),
        ("rates", ("a", "b")),
        ("rates", (None, 1.0)),
        ("rates", "ab"),
        ("rates", (1.0, 0.1)),
        ("schedule", "no_such_profile"),
        ("schedule", 3),
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
        SearchSettings().begin(0.1, steps)


def test_the_run_begins_with_the_candidate_closest_to_the_prior():
    settings = SearchSettings()
    assert settings.live(settings.begin(0.1, 10_000), 0.1).peak == 0.1
    boxed = SearchSettings(rates=(0.01, 1.0))
    assert boxed.live(boxed.begin(7.0, 10_000), 7.0).peak == pytest.approx(0.1, rel=1e-12)


def test_a_strategy_is_known_by_name_or_given_as_an_object():
    assert parse_strategy("annealed") == Annealed()
    assert parse_strategy(chosen := Annealed(candidates=3)) is chosen

import math
from collections import Counter
from fractions import Fraction

import pytest

from autolr.errors import ConfigError
from autolr.study import Hyperband


@pytest.mark.parametrize("power", range(12))
@pytest.mark.parametrize("eta", [2, 3, 4, 5, 10])
def test_a_power_of_eta_gives_one_bracket_more_than_its_exponent(power: int, eta: int) -> None:
    assert Hyperband(1, eta**power, eta).brackets == power + 1
    assert Hyperband(7, 7 * eta**power, eta).brackets == power + 1
    if power:
        assert Hyperband(1, eta**power - 1, eta).brackets == power


def test_the_papers_example_has_its_rungs() -> None:
    assert [Hyperband(1, 81).rungs(i) for i in range(5)] == [
        (1, 3, 9, 27),
        (3, 9, 27),
        (9, 27),
        (27,),
        (),
    ]


@pytest.mark.parametrize(("low", "high", "eta"), [(1, 1, 3), (13, 1000, 3), (50, 99, 2), (3, 7, 2)])
def test_rungs_rise_from_min_steps_and_stay_below_max_steps(low: int, high: int, eta: int) -> None:
    hyperband = Hyperband(low, high, eta)
    for bracket in range(hyperband.brackets):
        rungs = hyperband.rungs(bracket)
        assert len(rungs) == hyperband.brackets - 1 - bracket
        assert list(rungs) == sorted(set(rungs))
        assert all(low <= rung < high for rung in rungs)


def test_a_run_shorter_than_eta_times_the_minimum_is_never_judged() -> None:
    hyperband = Hyperband(10, 29)
    assert hyperband.table() == [(0, (), 1.0)]
    assert {hyperband.bracket_of(n) for n in range(20)} == {0}


def test_the_papers_example_has_its_shares() -> None:
    # n_s of table 1 in Li et al. 2018, R = 81: 81, 34, 15, 8, 5
    shares = [row.share for row in Hyperband(1, 81).table()]
    assert shares == pytest.approx([n / 143 for n in (81, 34, 15, 8, 5)], abs=1e-12)


@pytest.mark.parametrize(("low", "high", "eta"), [(1, 9, 3), (1, 81, 3), (10, 1000, 2), (1, 64, 4)])
def test_trials_follow_the_shares_at_any_time(low: int, high: int, eta: int) -> None:
    hyperband = Hyperband(low, high, eta)
    seen: Counter[int] = Counter()
    for number in range(500):
        seen[hyperband.bracket_of(number)] += 1
        for row in hyperband.table():
            # off by the number of brackets at most: no bracket starves or runs ahead
            assert abs(seen[row.number] - (number + 1) * row.share) < hyperband.brackets


def test_a_whole_period_follows_the_shares_exactly() -> None:
    seen = Counter(Hyperband(1, 9).bracket_of(n) for n in range(17))
    assert seen == {0: 9, 1: 5, 2: 3}
    assert Fraction(9, 17) == Fraction(Hyperband(1, 9).table()[0].share).limit_denominator(100)


def test_twelve_trials_in_a_row_meet_two_of_three_brackets() -> None:
    brackets = [Hyperband(1, 9).bracket_of(n) for n in range(200)]
    assert all(len(set(brackets[i : i + 12])) >= 2 for i in range(189))


def test_the_bracket_follows_from_the_number_alone() -> None:
    one, other = Hyperband(1, 243), Hyperband(1, 243)
    late_first = [one.bracket_of(n) for n in reversed(range(300))]
    assert late_first[::-1] == [other.bracket_of(n) for n in range(300)]


def test_many_brackets_are_quick_to_share_out() -> None:
    hyperband = Hyperband(1, 10**6, 2)  # a period of more than a million trials
    assert hyperband.brackets == 20
    assert len({hyperband.bracket_of(n) for n in range(1000)}) > 5


@pytest.mark.parametrize(
    ("score", "peers", "promoted"),
    [
        (5.0, [], True),  # the first one
        (5.0, [4.0], False),  # 2 < eta: only the best
        (3.0, [4.0], True),
        (4.0, [4.0], True),  # a tie
        (3.5, [3.0, 4.0], False),  # 3 // 3 = 1
        (2.0, [3.0, 4.0], True),
        (2.0, [1.0, 3.0, 4.0, 5.0], False),  # 5 // 3 = 1
        (2.0, [1.0, 3.0, 4.0, 5.0, 6.0], True),  # 6 // 3 = 2
        (3.5, [1.0, 3.0, 4.0, 5.0, 6.0], False),
        (5.0, [math.nan, math.inf], True),  # the others diverged
        (2.0, [1.0, math.nan, math.inf, -math.inf, 4.0], True),  # they count towards n
    ],
)
def test_one_in_eta_of_the_scores_seen_so_far_continues(
    score: float, peers: list[float], promoted: bool
) -> None:
    assert Hyperband(1, 9).promotes(score, peers) is promoted
    assert Hyperband(1, 9).promotes(score, peers[::-1]) is promoted


@pytest.mark.parametrize("score", [math.nan, math.inf, -math.inf])
def test_a_score_that_is_not_finite_never_continues(score: float) -> None:
    assert not Hyperband(1, 9).promotes(score, [])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 9), "min_steps must be at least 1, got 0"),
        ((10, 9), "max_steps must be at least 10, got 9"),
        ((1, 9, 1), "eta must be at least 2, got 1"),
    ],
)
def test_settings_that_cannot_work_are_named(arguments: tuple[int, ...], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Hyperband(*arguments)


@pytest.mark.parametrize("bracket", [-1, 3])
def test_a_bracket_that_is_not_there_is_an_error(bracket: int) -> None:
    with pytest.raises(ConfigError, match=r"bracket must be within \[0, 2\]"):
        Hyperband(1, 9).rungs(bracket)

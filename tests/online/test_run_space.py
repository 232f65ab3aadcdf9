"""Which peaks and profiles a run may choose of a space, and how the choice is made."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import math

import pytest

from autolr import schedules
from autolr.candidate import Candidate
from autolr.errors import ConfigError
from autolr.online import Annealed, Check, PeakRange, SearchSettings
from autolr.online.evidence import Evidence
from autolr.online.plan import plan_rounds
from autolr.online.reschedule import followed, scaled, shrunk
from autolr.online.rounds import Round, price
from autolr.online.run_space import RunSpace
from autolr.online.search import Search
from tests.online.runs import begun, search_of

RUN = Candidate(
    peak=0.1,
    schedule=schedules.warmup(8) | schedules.constant() | schedules.cooldown(0.4, "linear"),
)
TWO = (schedules.linear(), schedules.cosine())


def test_a_range_of_rates_is_the_range_of_peaks_and_profiles_are_taken_at_their_middle():
    space = {
        "lr": {"low": 1e-3, "high": 0.1, "log": True},
        "schedule": ["wsd", "polynomial"],
        "warmup": {"low": 0.0, "high": 0.1},
        "cooldown": {"low": 0.1, "high": 0.5, "when": {"schedule": "wsd"}},
        "power": {"low": 0.5, "high": 2.0, "log": True, "when": {"schedule": "polynomial"}},
    }
    result = RunSpace.read(space)
    assert result.rates == (1e-3, 0.1)
    wsd = schedules.constant() | schedules.cooldown(0.3)  # the run has warmed up by then
    assert result.profiles == (wsd, schedules.polynomial(power=1.0))
    assert result.schedule is None


def test_a_space_of_one_profile_fixes_the_schedule_with_its_warmup():
    result = RunSpace.read({"lr": [0.1, 0.4, 0.2], "schedule": "cosine", "warmup": 0.05})
    schedule = schedules.warmup(0.05) | schedules.cosine()
    assert result == RunSpace((0.1, 0.4), schedule, ())
    space = {"lr": 0.25, "schedule": "cosine", "warmup": 0.05}
    given = begun(1.0, 1000, schedule=schedule, rates=(0.25, 0.25))
    assert begun(1.0, 1000, candidates=space) == given


@pytest.mark.parametrize("name", ["default", "quick", "adamw", "sgd", "profiles"])
def test_the_catalogue_supports_runs_too(name):
    result = RunSpace.read(name)
    assert 2 <= len(result.profiles) <= 5
    assert begun(0.01, 1000, candidates=name).rounds


@pytest.mark.parametrize("lr", [{}, {"lr": "online"}])
def test_without_rates_the_range_is_the_customary_one(lr):
    search = begun(0.1, 1000, candidates={**lr, "schedule": ["linear", "cosine"]})
    assert search.alive[0].peak == pytest.approx(0.1 / 16)


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"candidates": {"lr": 0.1, "model.width": [1, 2]}}, "model.width.*`autolr tune`"),
        ({"candidates": "default", "rates": (0.1, 1)}, "rates.*candidates has what there is"),
        ({"candidates": "default", "schedule": "cosine"}, "schedule.*candidates has"),
        ({"candidates": {"rule": ["fixed", "polyak"]}}, "rule"),
        ({"candidates": "defualt"}, "default"),
        ({"candidates": 3}, "a mapping"),
    ],
)
def test_what_cannot_be_searched_in_a_run_is_refused_in_one_line(settings, match):
    with pytest.raises(ConfigError, match=match) as refused:
        SearchSettings(**settings)
    assert "\n" not in str(refused.value)


def test_another_profile_is_followed_over_the_rest_of_the_run():
    rest = schedules.wsd(warmup=0.0, cooldown=0.5, shape="linear")
    result = followed(RUN, 20, rest).schedule.values(100)
    assert result[:20].tolist() == RUN.schedule.values(100)[:20].tolist()
    assert result[20:].tolist() == pytest.approx(rest.values(80).tolist(), abs=1e-12)


def test_it_keeps_the_changes_of_the_rate_before_and_after_it():
    halved = scaled(scaled(RUN, 10, 0.5, refines=True), 15, 0.25, refines=False)
    later = scaled(followed(halved, 20, schedules.linear()), 60, 0.5, refines=False)
    result = later.peak * later.schedule.values(100)
    before = halved.peak * halved.schedule.values(100)
    assert result[:20] == pytest.approx(before[:20], rel=1e-12)
    line = [0.1 * 0.5 * 0.25 * (1 - k / 80) * (0.5 if k >= 40 else 1) for k in range(80)]
    assert result[20:] == pytest.approx(line, rel=1e-9)


@pytest.mark.parametrize("profile", TWO)
def test_an_annealed_copy_follows_the_whole_rest_in_its_few_steps(profile):
    schedule = followed(RUN, 20, profile).schedule
    assert shrunk(schedule, 20, 100, 10) == pytest.approx(profile.values(10).tolist(), abs=1e-12)
    own = shrunk(RUN.schedule, 20, 100, 10)  # 40 of the 80 steps left are flat
    assert own == pytest.approx([1.0] * 6 + [0.8, 0.6, 0.4, 0.2], abs=1e-12)


def test_the_price_counts_a_copy_for_every_profile_and_for_the_runs_own():
    assert price([Round(0, 20, 6), Round(50, 60, 0, profiles=TWO)], candidates=1) == 30
    check = Check(0.12, 0.15, profiles=TWO)
    for cap in range(0, 200, 7):
        assert price(plan_rounds(25, [check], 1000, 5, cap), 5) <= cap


def test_profiles_take_the_place_of_the_check_before_them():
    search = search_of(Annealed(), PeakRange.around(0.1), None, 1000, 250, TWO)
    costly = [(r.refines, len(r.factors), len(r.profiles)) for r in search.rounds if r.copies]
    assert costly == [(True, 2, 0), (False, 0, 2), (False, 2, 0)]
    assert price(search.rounds, len(search.alive)) <= 250


def play(scores):
    """Return the search behind a race, a round of profiles, and a watch."""
    rounds = (Round(0, 20, 6), Round(30, 40, 0, profiles=TWO), Round(60, 70, 6), Round(80, 90, 6))
    search = Search((RUN,), rounds)
    for one in scores:
        search = search.observe(Evidence(tuple(one)))
    return search


@pytest.mark.parametrize(
    ("scores", "winner"),
    [
        ([0.5, 0.4, 0.45], 1),
        ([0.5, 0.45, 0.4], 2),
        ([0.5, 0.4995, 0.4999], 0),
        ([math.inf, math.inf, 0.9], 2),
        ([math.inf] * 3, 0),
    ],
)
def test_the_best_profile_wins_and_ties_go_to_the_default(scores, winner):
    search = play([[1.0], scores])
    expected = [RUN, *(followed(RUN, 40, profile) for profile in TWO)][winner]
    assert search.alive == (expected,)
    copies = search.scores[1:]
    assert [one.kept for one in copies] == [index == winner for index in range(3)]
    assert all(one.annealed for one in copies)


def test_the_run_is_not_compared_with_copies_that_were_annealed():
    search = play([[1.0], [0.5, 0.4, 0.45], [0.9]])
    assert search.rollbacks == ()
    assert search.best == (70, 0.9)


def test_a_run_that_diverges_beside_its_copies_continues_without_them():
    search = play([[1.0]]).recover(35)
    assert search.alive == (scaled(RUN, 35, 0.5, refines=False),)
    assert search.rounds[0].horizon == 70

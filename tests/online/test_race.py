"""Which rules and peaks race for a run, and which are left out of a short one."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import math

import pytest

from autolr.online import Annealed, SearchSettings
from autolr.online.evidence import Evidence
from autolr.online.rounds import price
from autolr.online.run_space import RuleChoice, RunSpace
from autolr.online.search_serialization import search_from_dict, search_to_dict
from tests.online import runs

FOUR = {"rule": ["dog", "sps_max", "fixed", "prodigy"]}


def begun(space, steps, budget=0.25):
    return runs.begun(0.1, steps, budget=budget, candidates=space)


def left_out(space, steps, budget=0.25):
    settings = SearchSettings(Annealed(budget=budget), candidates=space)
    run = settings.run_info(0.1, steps)
    return settings.left_out(run, settings.begin(run).candidates)


def live(space):
    settings = SearchSettings(candidates=space)
    run = settings.run_info(0.1, 2000)
    return run.nearest(settings.begin(run).candidates)


def racing(search):
    """Return how many peaks of each rule race."""
    names = [candidate.rule for candidate in search.alive]
    return {name: names.count(name) for name in names}


def peaks(search):
    return [candidate.peak for candidate in search.alive]


def test_the_own_optimizer_comes_first_and_rules_without_a_peak_have_one_candidate():
    search = begun(FOUR, 2000, budget=1.0)
    assert list(racing(search).items()) == [
        ("fixed", 5),
        ("dog", 1),
        ("sps_max", 3),
        ("prodigy", 1),
    ]
    capped = [candidate.peak for candidate in search.alive if candidate.rule == "sps_max"]
    assert capped == pytest.approx([0.1, 1.0, math.sqrt(10)])  # of 0.01 to 10, default 1


@pytest.mark.parametrize("steps", [40, 100, 150, 200, 300, 500, 1000, 20_000])
def test_the_price_fits_the_budget_and_a_race_of_rules_can_tell_something(steps):
    search = begun(FOUR, steps)
    assert price(search.rounds, len(search.alive)) <= 0.25 * steps
    left = {"fixed", "dog", "sps_max", "prodigy"} - {c.rule for c in search.alive}
    assert set(left_out(FOUR, steps)) == left
    alone = begun(None, steps)
    if len(left) < 3:
        assert search.rounds[0].horizon >= max(12, 0.75 * alone.rounds[0].horizon)
        assert any(now.refines and now.factors for now in search.rounds)
    else:
        assert peaks(search) == peaks(alone)


def test_the_shorter_a_run_the_fewer_rules_race_and_the_own_optimizer_always_does():
    raced = [racing(begun(FOUR, steps)) for steps in (60, 300, 350, 4000)]
    assert all("fixed" in names for names in raced)
    assert [len(names) for names in raced] == sorted(len(names) for names in raced)
    assert (len(raced[0]), len(raced[-1])) == (1, 4)


def test_at_most_five_rules_race_beside_the_own_optimizer():
    names = ["adamw", "lion", "dog", "ldog", "prodigy", "momo", "fixed"]
    space = RunSpace.read({"rule": names})
    assert [choice.name for choice in space.rules] == ["fixed", *names[:5]]
    assert space.unread == ("momo",)
    assert left_out({"rule": names}, 20_000, budget=1.0) == ("momo",)


def test_rates_are_those_of_the_own_optimizer_or_of_the_rules_that_they_name():
    some = {"low": 0.5, "high": 2.0, "log": True}
    space = {"rule": ["fixed", "sps_max", "dog"], "lr": some}
    assert RunSpace.read(space).rates == (0.5, 2.0)
    assert RunSpace.read(space).rules[1] == RuleChoice("sps_max")
    space["lr"] = {**some, "when": {"rule": ["sps_max"]}}
    assert RunSpace.read(space).rates is None
    assert RunSpace.read(space).rules[1] == RuleChoice("sps_max", rates=(0.5, 2.0))
    assert RunSpace.read({"rule": "sps_max", "lr": some}).rules[0].rates == (0.5, 2.0)


def test_settings_of_a_rule_are_taken_at_their_middle():
    alpha = {"low": 1e-6, "high": 1e-2, "log": True, "when": {"rule": "dog"}}
    result = RunSpace.read({"rule": ["fixed", "dog"], "rule.alpha": alpha})
    assert dict(result.rules[1].settings)["alpha"] == pytest.approx(1e-4)
    assert result.rules[0].settings == ()


def test_all_rules_race_under_the_default_schedule_unless_the_space_names_one():
    default = begun(None, 2000).alive[0].schedule.kind
    assert {c.schedule.kind for c in begun(FOUR, 2000).alive} == {default}
    named = begun({**FOUR, "schedule": "cosine"}, 2000)
    assert {c.schedule.kind for c in named.alive} == {"cosine"}


def test_a_rule_that_is_no_better_than_the_own_optimizer_gives_way_to_it():
    search = begun(FOUR, 2000, budget=1.0)
    scores = [2.0, 1.02, 1.01, 3.0, 4.0, *[1.0] * 5]
    assert search.observe(Evidence(tuple(scores))).alive[0] == search.alive[2]  # the own peak
    scores[1:3] = [1.05, 1.04]
    assert search.observe(Evidence(tuple(scores))).alive[0] == search.alive[5]


def test_each_rule_is_followed_within_peaks_of_its_own_and_one_without_them_to_both_sides():
    search = begun(FOUR, 2000, budget=1.0)
    up, down, both = [1, 4, 2], [1, 0.5, 0.25], [1, 0.5, 2]
    for index, factors in ((4, up), (5, both), (6, down), (8, both), (9, both)):
        scores = [9.0] * 10
        scores[index] = 1.0
        winner = search.alive[index]
        rivals = search.observe(Evidence(tuple(scores))).alive
        assert {rival.rule for rival in rivals} == {winner.rule}
        assert [rival.peak / winner.peak for rival in rivals] == pytest.approx(factors)
    assert search_from_dict(search_to_dict(search)) == search


def test_the_run_begins_with_the_own_optimizer():
    assert (live(FOUR).rule, live(FOUR).peak) == ("fixed", 0.1)
    other = live({"rule": ["sps_max", "dog"]})
    assert (other.rule, other.peak) == ("sps_max", 1.0)

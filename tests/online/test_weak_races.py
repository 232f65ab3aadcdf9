"""Races that show too little: what they may decide, and what they leave to later checks."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import math
from dataclasses import replace

from autolr import schedules
from autolr.candidate import Candidate
from autolr.online import PeakRange, Round, Search
from autolr.online.evidence import Evidence
from autolr.online.later_rounds import affordable
from autolr.online.race_entry import RaceEntry
from autolr.online.thresholds import Thresholds
from autolr.rules.fixed import OWN

PEAKS = (0.00625, 0.025, 0.1, 0.4, 1.6)
CHECK = Round(40, 52, 8, factors=(0.5, 2.0), refines=True)
START = 2.0


def race(steps=20, own=0.1, **settings):
    candidates = tuple(Candidate(peak=peak, schedule=schedules.constant()) for peak in PEAKS)
    rounds = (Round(0, steps, 6), CHECK)
    return Search(candidates, rounds, fallback=(OWN, own), **settings)


def winner(search, *scores, batches=None):
    evidence = Evidence(scores, initial=START)
    if batches:
        by_batch = tuple(tuple(score + part for part in batches) for score in scores)
        evidence = replace(evidence, by_batch=by_batch, initial_batches=(START,) * len(batches))
    return search.observe(evidence).alive[0].peak


def test_a_race_that_cannot_continue_keeps_the_own_peak_where_no_score_has_gained_a_twentieth():
    assert winner(race(), 1.99, 2.0, 2.0, 1.91, 3.0) == 0.1
    assert winner(race(), 1.99, 2.0, 2.0, 1.89, 3.0) == 0.4


def test_a_score_that_stands_apart_from_all_others_is_no_chance():
    at_once = race(thresholds=Thresholds(hint=0.0))
    assert winner(at_once, 1.999, 1.998, 1.996, 1.985, 1.94) == 1.6  # each gains as its rate does
    assert winner(race(), 1.985, 1.998, 1.96, 1.97, 1.94) == 0.1
    assert winner(race(), 1.99, 2.0, 2.0, 1.91, math.inf) == 0.1  # too few scores to tell


def test_where_the_noise_of_batches_is_known_it_is_what_counts():
    spread = (-0.1, 0.1, -0.1, 0.1)  # standard error 0.058, so three of them are 0.17
    scores = (2.0, 2.0, 1.99, 1.87, 3.0)
    assert winner(race(), *scores, batches=spread) == 0.1
    assert winner(race(), *scores, batches=[part / 100 for part in spread]) == 0.4


def test_a_brief_race_does_not_move_the_peak_by_a_factor_of_eight():
    scores = (1.9, 1.8, 1.5, 1.0, 0.2)
    assert winner(race(steps=12), *scores) == 1.6
    assert winner(race(steps=11), *scores) == 0.4
    assert winner(race(steps=11, own=0.00625), *scores) == 0.025
    between = race(steps=11, own=0.06)
    own = replace(between.alive[2], peak=0.06)
    between = replace(between, alive=(*between.alive[:2], own, *between.alive[2:]))
    assert winner(between, 1.9, 1.9, 1.9, 1.5, 1.0, 0.2) == 0.4  # the next place but one
    assert winner(race(steps=11), *scores[::-1]) == 0.025


def test_a_race_that_has_continued_rules_out_no_rate_of_later_checks():
    search = race()
    run = replace(
        search,
        scores=search.scored([START] * 5, 2),
        alive=tuple(search.alive[i] for i in (2, 1, 0)),
        rounds=(Round(20, 40, 12, continues=True), CHECK),
    )
    left = run.observe(Evidence((1.5, 1.9, 1.99), initial=START))  # lower rates are far behind
    assert [one.peak for one in left.alive] == [0.1, 0.05, 0.2]


def test_a_check_of_which_a_part_can_be_paid_keeps_its_lower_rates():
    rounds = (CHECK, replace(CHECK, start=60, horizon=72))
    paid, left = affordable(rounds, 40)
    assert [r.factors for r in paid] == [(0.5, 2.0), (0.5,)]
    assert left == 40 - 24 - 12
    assert [r.factors for r in affordable(rounds, 11)[0]] == [(), ()]


def test_of_peaks_that_tie_on_both_sides_of_the_own_the_nearest_wins_and_of_two_the_better():
    assert winner(race(), 1.99, 1.01, 1.4, 1.0, 1.9) == 0.4
    assert winner(race(), 1.99, 1.0, 1.4, 1.01, 1.9) == 0.025
    assert winner(race(), 1.0, 1.9, 1.4, 1.01, 1.9) == 0.4
    assert winner(race(own=1.6), 1.9, 1.01, 1.01, 1.0, 1.99) == 0.025  # on one side: the lowest


def test_where_nothing_is_gained_a_lower_rate_has_to_lead_by_more_than_its_lower_noise():
    def kept(lower, run=1.21):
        checked = race().observe(Evidence((1.9, 1.8, 1.2, 1.4, 1.9), initial=START))
        return checked.observe(Evidence((run, lower, 1.9), initial=START)).alive[0].peak

    assert kept(1.2) == 0.1  # no better than the run was before the check
    assert kept(1.19) == 0.05
    assert kept(1.5, run=2.0) == 0.05  # the run gets worse, and the lower rate by far less


def test_where_such_a_race_was_the_last_comparison_the_rate_stays_constant_as_the_user_has_it():
    rise, end = schedules.warmup(5), schedules.cooldown(0.4, "linear")
    ours = tuple(replace(one, schedule=rise | schedules.constant() | end) for one in race().alive)

    def rates(search, *scores):
        run = search.observe(Evidence(scores, initial=START)).alive[0]
        return [run.peak * run.schedule.at(step, 200) for step in (10, 100, 190)]

    alone = race(chose_schedule=True)
    alone = replace(alone, alive=ours, rounds=alone.rounds[:1])
    assert rates(alone, 1.99, 2.0, 2.0, 1.91, 3.0) == [0.1, 0.1, 0.1]
    assert rates(alone, 1.99, 2.0, 2.0, 1.5, 3.0)[2] < 0.1
    assert rates(replace(alone, rounds=race().rounds), 2.0, 2.0, 2.0, 1.9, 3.0)[2] < 0.1  # a check
    assert rates(replace(alone, chose_schedule=False), 2.0, 2.0, 2.0, 1.9, 3.0)[2] < 0.1


def test_a_check_has_the_lower_rates_where_units_die_at_the_runs_own_and_pays_only_for_those():
    search = race(alive_below=0.05)
    left = search.observe(Evidence((1.9, 1.8, 1.2, 1.4, 1.9), initial=START))
    assert [one.peak for one in left.alive] == [0.1, 0.05]
    assert left.rounds[0].price == 12
    assert left.spare == search.spare + 12


def test_a_peak_that_the_user_has_set_is_trusted_unless_a_scan_has_seen_another_range():
    around = PeakRange.around(1e-3)
    assert RaceEntry(around, OWN, own=5e-4).trusts_own
    assert not RaceEntry(around, OWN, own=1.0).trusts_own
    assert not RaceEntry(around, OWN).trusts_own

"""Where the first points of a study are drawn, once a good one is known."""

import math
from statistics import median
from typing import Any

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from autolr.schedules import Schedule, constant, linear, parse, transfer
from autolr.study.names import OWN_PEAK, SEARCHED, SEARCHES, START
from autolr.study.prior import (
    COMPARED,
    FIRST,
    OWN_KEPT,
    OWN_SPREAD,
    PROFILE_KEPT,
    SPREAD,
    UNIFORM,
    Known,
    known_point,
    share_of,
)

PEAKS = FloatDistribution(1e-5, 1.0, log=True)
PROFILES = CategoricalDistribution(("constant", "linear", "cosine", "wsd"))
DOMAINS: dict[str, Any] = {
    "lr": PEAKS,
    "lr.x": PEAKS,
    "schedule": PROFILES,
    "warmup": FloatDistribution(0.0, 0.1),
    "rule": CategoricalDistribution(("fixed", "polyak")),
}


def trial(
    number: int,
    value: float | None = None,
    *,
    peak: float | None = None,
    schedule: Schedule | None = None,
    searched: bool = False,
    rule: str = "fixed",
    schedule_: str | None = "wsd",
    **params: Any,
) -> FrozenTrial:
    """A trial that has ended with a value, or runs; ``schedule_`` is its parameter."""
    params |= {} if schedule_ is None else {"schedule": schedule_}
    found = {"rule": rule, "peak": peak, "schedule": (schedule or linear()).to_dict()}
    first = {SEARCHES: ["lr", "schedule"], SEARCHED: True} if searched else {}
    attrs = {"found": found, "run_steps": 100} | first
    made = create_trial(
        state=TrialState.RUNNING if value is None else TrialState.COMPLETE,
        value=value,
        params=params,
        distributions={name: DOMAINS[name] for name in params},
        user_attrs={} if peak is None else attrs,
    )
    made.number = number
    return made


def known(*trials: FrozenTrial, own: FrozenTrial | None = None, **given: float) -> Known | None:
    present = own or trial(len(trials))
    return known_point([*trials, present], present, given, StudyDirection.MINIMIZE)


def searched(peak: float = 0.04, value: float = 0.5, **more: Any) -> FrozenTrial:
    return trial(0, value, peak=peak, schedule=constant(), searched=True, schedule_=None, **more)


def test_the_first_peak_is_half_of_the_rate_that_the_search_settled_on() -> None:
    point = known(searched(0.04))
    assert point == Known(0.02)
    assert point.draw("lr", PEAKS, seed=3) == 0.02
    assert point.draw("schedule", PROFILES, seed=3) == "wsd"


def test_a_peak_outside_of_the_range_is_drawn_at_its_nearest_end() -> None:
    assert Known(7.0).draw("lr", FloatDistribution(0.1, 0.5), seed=0) == 0.5
    assert Known(0.001).draw("lr", FloatDistribution(0.1, 0.5), seed=0) == 0.1


def test_once_it_was_tried_peaks_scatter_around_it_and_some_are_left_to_the_sampler() -> None:
    point = known(searched(0.04), trial(1, lr=0.02))
    assert point is not None
    assert point.peak == pytest.approx(0.7 * 0.04)
    draws = [point.draw("lr", PEAKS, seed) for seed in range(2000)]
    near = [math.log(draw / 0.028) for draw in draws if draw is not None]
    assert 1 - len(near) / 2000 == pytest.approx(UNIFORM, abs=0.03)
    assert median(near) == pytest.approx(0, abs=0.04)
    assert median(map(abs, near)) == pytest.approx(0.6745 * SPREAD, abs=0.03)  # of a normal one


def test_a_peak_counts_as_tried_by_another_profile_and_at_the_end_of_the_range() -> None:
    moved = transfer(0.02, parse("wsd"), 1000, linear())
    for first in (trial(1, lr=moved, schedule_="linear"), trial(1, lr=0.02)):
        point = known(searched(0.04), first)
        assert point is not None
        assert point.tried
    point = known(searched(40.0), trial(1, lr=PEAKS.high))
    assert point is not None
    assert point.tried
    point = known(searched(0.04), trial(1, lr=0.02, schedule_="linear"))
    assert point is not None
    assert not point.tried


def test_draws_stay_within_the_range() -> None:
    narrow = FloatDistribution(0.019, 0.021)
    draws = [Known(0.02, tried=True).draw("lr", narrow, seed) for seed in range(200)]
    assert all(0.019 <= draw <= 0.021 for draw in draws if draw is not None)


def test_the_users_own_parameters_stay_or_move_a_little() -> None:
    own = {"model.width": 30, "model.decay": 0.01, "model.norm": "batch"}
    point = Known(0.02, own, tried=True)
    width, decay = IntDistribution(8, 64), FloatDistribution(1e-4, 1.0, log=True)
    norm = CategoricalDistribution(("batch", "layer"))
    widths = [point.draw("model.width", width, seed) for seed in range(2000)]
    assert set(map(type, widths)) == {int}
    assert widths.count(30) / 2000 == pytest.approx(OWN_KEPT, abs=0.05)
    moved = [d for s in range(2000) if (d := point.draw("model.decay", decay, s)) != 0.01]
    assert 1 - len(moved) / 2000 == pytest.approx(OWN_KEPT, abs=0.03)
    away = median(abs(math.log(each / 0.01)) for each in moved)
    assert away == pytest.approx(0.6745 * OWN_SPREAD * math.log(1e4), rel=0.1)  # of a normal one
    assert {point.draw("model.norm", norm, seed) for seed in range(100)} == {"batch", None}
    assert Known(0.02, own).draw("model.width", width, seed=0) == 30  # the peak is to be tried


def test_a_parameter_that_the_best_trial_has_not_is_the_samplers() -> None:
    assert Known(0.02, tried=True).draw("model.width", IntDistribution(8, 64), seed=0) is None


def test_a_better_trial_takes_the_place_of_the_search() -> None:
    better = trial(1, 0.4, peak=0.3, lr=0.3, schedule=None)
    better.params["schedule"], better.distributions["schedule"] = "linear", PROFILES
    point = known(searched(value=0.5), better, own=trial(2, schedule_="linear"))
    assert point is not None
    assert (point.peak, point.tried) == (0.3, True)
    assert point.params["schedule"] == "linear"
    worse = trial(1, 0.6, peak=0.3, lr=0.3)
    assert known(searched(value=0.5), worse) == Known(0.02)


def test_a_profile_has_the_peak_that_convex_theory_moves_it_to() -> None:
    best = trial(1, 0.4, peak=0.03, lr=0.03, schedule_="wsd")
    for profile in ("constant", "linear"):
        point = known(searched(value=0.5), best, own=trial(2, schedule_=profile))
        assert point is not None
        moved = transfer(0.03, parse("wsd"), 1000, parse(profile))
        assert point.peak == pytest.approx(moved)
    assert known(searched(0.04), own=trial(1, schedule_="wsd")) == Known(0.02)


@pytest.mark.parametrize(
    ("profile", "found", "more"),
    [
        (None, linear(), {}),  # the only one where the space has none
        ("cosine", parse("cosine"), {}),
        (None, constant(), {OWN_PEAK: 0.3}),  # of the module's own scheduler
    ],
)
def test_a_search_whose_run_had_the_shape_of_all_leaves_the_best_peak_of_that_shape(
    profile: str | None, found: Schedule, more: dict[str, float]
) -> None:
    best = transfer(0.02, parse("wsd"), 1000, parse(profile or "linear"))
    later = constant().over(30) | constant() * 0.5
    for cut, schedule in [(1.0, found), (0.5, found * later)]:
        first = trial(0, 0.5, peak=0.04, schedule=schedule, searched=True, schedule_=profile)
        first.user_attrs.update(more | {SEARCHES: ["lr"]})
        point = known(first, own=trial(1, schedule_=profile))
        assert point is not None
        assert point.peak == pytest.approx(cut * best)
        assert share_of(first.user_attrs, first.params) == pytest.approx(best / 0.04)


def test_other_profiles_are_tried_but_none_that_stays_up() -> None:
    best = trial(1, 0.4, peak=0.03, lr=0.03, schedule_="wsd", warmup=0.05)
    point = known(searched(value=0.5), best, own=trial(COMPARED - 1))
    assert point is not None
    draws = [point.draw("schedule", PROFILES, seed) for seed in range(2000)]
    assert set(draws) == {"wsd", "linear", "cosine"}
    assert draws.count("wsd") / 2000 == pytest.approx(PROFILE_KEPT, abs=0.03)
    warmups = [point.draw("warmup", DOMAINS["warmup"], seed) for seed in range(100)]
    assert warmups.count(0.05) > 80


def test_one_trial_has_the_profile_that_falls_if_none_had_it() -> None:
    others = [searched(), trial(1, 0.6, peak=0.02, lr=0.02, schedule_="wsd")]
    draws = set()
    for second in ("wsd", "linear"):
        others[2:] = [trial(2, schedule_=second)]
        point = known(*others, own=trial(COMPARED))
        assert point is not None
        draws.add(tuple({point.draw("schedule", PROFILES, seed) for seed in range(20)}))
    assert ("linear",) in draws
    assert len(draws) == 2


def test_while_the_search_is_the_best_trial_the_profile_is_of_the_best_drawn_one() -> None:
    worse = trial(1, 0.8, peak=0.02, lr=0.02, schedule_="wsd")
    better = trial(2, 0.6, peak=0.04, lr=0.04, schedule_="linear")
    point = known(searched(0.04, value=0.5), worse, better)
    assert point is not None
    assert point.params["schedule"] == "linear"
    assert point.peak == pytest.approx(0.7 * 0.04)


def test_better_is_higher_where_the_study_maximizes() -> None:
    trials = [searched(value=0.5), trial(1, 0.9, peak=0.3, lr=0.3), trial(2)]
    point = known_point(trials, trials[-1], {}, StudyDirection.MAXIMIZE)
    assert point is not None
    assert point.peak == 0.3


def test_a_search_says_nothing_about_the_peaks_of_another_rule() -> None:
    first = searched(0.04, rule="fixed")
    first.params["rule"] = "fixed"
    assert known(first, own=_with_rule("polyak")) is None
    assert known(first, own=_with_rule("fixed")) == Known(0.02, {"rule": "fixed"})
    assert known(first, own=trial(1)) is None  # its rule is drawn later


def _with_rule(name: str) -> FrozenTrial:
    made = trial(1)
    made.params["rule"] = name
    return made


def test_trials_are_counted_from_the_one_that_searches() -> None:
    first = searched(0.04)
    first.number = 3
    begun = [trial(number, 0.6, peak=0.02, lr=0.02) for number in range(4, 4 + COMPARED - 1)]
    compared = known(first, *begun, own=trial(3 + COMPARED))
    assert compared is not None
    assert compared.profile == "linear"
    last = 3 + FIRST if FIRST % 2 == 0 else 2 + FIRST
    assert known(first, *begun, own=trial(last)) is not None


def test_nothing_is_known_without_a_search_or_a_prior() -> None:
    assert known(trial(0, 0.5, peak=0.1, lr=0.1)) is None


def test_a_given_peak_is_of_a_plateau_and_moved_to_the_profile_of_the_trial() -> None:
    assert known(own=trial(0, schedule_="wsd"), fixed=0.05) == Known(0.05)
    linear = transfer(0.05, parse("wsd"), 1000, parse("linear"))
    for own in (
        trial(0, schedule_="linear"),
        trial(0, schedule_=None),
    ):  # which is the one where there is none
        point = known(own=own, fixed=0.05)
        assert point is not None
        assert point.peak == pytest.approx(linear)


def test_a_given_peak_counts_until_a_trial_that_began_from_it_is_complete() -> None:
    start = trial(0, 0.5, peak=0.1, lr=0.1)
    start.user_attrs[START] = {"lr": 0.1}
    unsearched = trial(0, 0.5, peak=0.1)
    unsearched.user_attrs[SEARCHES] = ["lr"]
    for before in (start, unsearched):
        assert known(before, own=trial(1, schedule_="wsd"), fixed=0.05) == Known(0.05)
    assert known(searched(0.04), own=trial(1, schedule_="wsd"), fixed=0.05) == Known(0.02)
    better = trial(0, 0.5, peak=0.1, lr=0.1)
    assert known(better, fixed=0.05) == Known(0.1, better.params, tried=True)


def test_after_the_first_trials_the_sampler_has_every_second_one() -> None:
    others = [trial(number, lr=0.1) for number in range(1, FIRST + 4)]
    numbers = range(1, len(others))
    local = [n for n in numbers if known(searched(), *others[: n - 1]) is not None]
    assert local == [*range(1, FIRST + 1), FIRST + 2]


def test_parameters_of_the_user_are_left_to_the_sampler() -> None:
    assert Known(0.1).draw("model.init_args.width", PEAKS, seed=0) is None
    assert Known(0.1).draw("rule", DOMAINS["rule"], seed=0) is None


def test_where_all_trials_search_their_peak_nothing_is_drawn_around_it() -> None:
    one = searched()
    del one.user_attrs[SEARCHES]
    assert known(one) is None


def test_a_profile_that_the_space_lacks_is_left_to_the_sampler() -> None:
    """The search of the first trial ends in a plateau with a fall, which not each space has."""
    known = Known(peak=0.01)
    assert known.draw("schedule", CategoricalDistribution(("linear", "cosine")), 0) is None
    assert known.draw("schedule", PROFILES, 0) == "wsd"

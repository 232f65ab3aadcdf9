"""Where a study draws points before its sampler has learned: around the best one that is known.

The figures are choices, measured in `examples/time_to_target/STUDIES.md`.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from autolr.errors import ConfigError
from autolr.names import meaning
from autolr.rules.catalogue import record
from autolr.rules.fixed import OWN
from autolr.study.names import OWN_PEAK, SEARCHED, SEARCHES, START

if TYPE_CHECKING:
    from autolr.schedules import Schedule

FIRST = 10  # trials that are drawn so; of those that follow every second one, else by the sampler
# Whole runs do best below the rate that a search has settled on by the middle of its run, with the
# profile that has a plateau, as the search's own schedule. One that falls from its beginning has
# hardly fallen where most rivals are compared, so a search settles on much the same with any.
SHARE, PLATEAU = 0.5, "wsd"
# The trial that has the profile that falls from its beginning, if none had it; no bracket of
# Hyperband's judges it: at a rung a rate that is still high says little about the end.
COMPARED, FALL = 3, "linear"
NEARER = 0.7  # share of that rate where half of it turned out to be worse than the search itself
SPREAD = math.log(1.4)  # standard deviation of the log of a peak
UNIFORM = 0.1  # share of the peaks that the sampler draws in the whole range
PROFILE_KEPT = 0.67  # share of the profiles that stay
KEPT = 0.9  # share of the settings of profiles that stay
OWN_KEPT = 0.3  # share of the user's own parameters that stay
OWN_SPREAD = 0.25  # standard deviation of the others that are numbers, as a share of their range
_LENGTH = 1000  # steps; ratios of best peaks hardly depend on it
_DRAWS = 64  # at a peak within the range; then the nearest end is taken


@dataclass(frozen=True, slots=True)
class Known:
    """A good point, around which others are drawn.

    Attributes:
        peak: The middle of the peaks.
        params: Its parameters, as far as it has any.
        tried: Whether a trial has had that very peak.
        profile: What trial `COMPARED` has if the space has it; None: as any other.
    """

    peak: float
    params: Mapping[str, Any] = field(default_factory=dict)
    tried: bool = False
    profile: str | None = None

    def draw(self, name: str, domain: BaseDistribution, seed: int) -> Any:
        """Return a value around the point, None where the sampler draws it.

        Args:
            name: The parameter; a rule is not drawn, nor a second peak.
            domain: Its distribution.
            seed: Of the draw.
        """
        generator = np.random.default_rng(seed)
        if meaning(name) == "lr" and isinstance(domain, FloatDistribution):
            return self._peak(domain, generator)
        if meaning(name) in ("lr", "rule"):
            return None
        from autolr.candidate import is_users  # here: reading a study needs no schedules

        if is_users(name):
            return self._own(name, domain, generator)
        if meaning(name) == "schedule" and isinstance(domain, CategoricalDistribution):
            return self._profile(name, domain, generator)
        kept = not self.tried or generator.random() < KEPT
        return self._same(name, domain) if kept else None

    def _profile(
        self, name: str, domain: CategoricalDistribution, generator: np.random.Generator
    ) -> Any:
        """Return the best profile so far, or another one that falls no less than a plateau."""
        if self.profile in domain.choices:
            return self.profile
        same = self._same(name, domain, PLATEAU)
        if not self.tried or generator.random() < PROFILE_KEPT:
            return same
        others = [each for each in domain.choices if each != same and _height(str(each)) >= 1]
        return others[generator.integers(len(others))] if others else None

    def _peak(self, domain: FloatDistribution, generator: np.random.Generator) -> float | None:
        nearest = _within(self.peak, domain)
        if not self.tried:
            return nearest
        if generator.random() < UNIFORM:
            return None
        draws = self.peak * np.exp(SPREAD * generator.standard_normal(_DRAWS))
        within = (float(draw) for draw in draws if domain.low <= draw <= domain.high)
        return next(within, nearest)

    def _own(self, name: str, domain: BaseDistribution, generator: np.random.Generator) -> Any:
        """Return the value of one of the user's parameters, or for a number one near it."""
        value = self._same(name, domain)
        if value is None or not self.tried or generator.random() < OWN_KEPT:
            return value
        if not isinstance(domain, FloatDistribution | IntDistribution):
            return None
        ends = domain.low, domain.high
        low, high, middle = (math.log(v) if domain.log else v for v in (*ends, value))
        draw = middle + OWN_SPREAD * (high - low) * generator.standard_normal()
        near = math.exp(min(draw, high)) if domain.log else draw
        within = float(min(max(near, domain.low), domain.high))
        return within if isinstance(domain, FloatDistribution) else round(within)

    def _same(self, name: str, domain: BaseDistribution, otherwise: str | None = None) -> Any:
        value = self.params.get(name, otherwise)
        if value is None:
            return None
        try:
            within = domain._contains(domain.to_internal_repr(value))
        except ValueError:  # no choice of this space
            return None
        return value if within else None


def known_point(
    trials: Sequence[FrozenTrial],
    own: FrozenTrial,
    given: Mapping[str, float],
    direction: StudyDirection,
) -> Known | None:
    """Return what a trial is drawn around; None: nothing is known, or it is the sampler's turn.

    That is a peak that is given, until a trial has begun from it; then, or once a trial has
    searched its peak, the best complete trial with the same rule.

    Args:
        trials: Of the study.
        own: The trial that is drawn, with the parameters that it has.
        given: A peak by rule, from an earlier study or result, for the profile `PLATEAU`.
        direction: Of the first objective.
    """
    others = [trial for trial in trials if trial.number != own.number]
    if "rule" not in own.params and any("rule" in trial.params for trial in others):
        return None  # it is drawn later
    rule = str(own.params.get("rule", OWN))
    found = [trial for trial in others if _found(trial).get("rule") == rule]
    searched = any(_is_first(trial) for trial in found)
    index = own.number - max((trial.number for trial in found if _is_first(trial)), default=0)
    samplers = index > FIRST and own.number % 2 == 1
    if samplers or not (searched or rule in given):
        return None
    sign = 1 if direction == StudyDirection.MINIMIZE else -1
    complete = [trial for trial in found if trial.state == TrialState.COMPLETE]
    ranked = sorted(complete, key=lambda trial: (sign * trial.values[0], trial.number))
    if rule in given and not any(map(_has_begun, complete)):
        point = _at(given[rule], {}, others, PLATEAU)
        return replace(point, peak=_moved(point.peak, PLATEAU, _followed(own.params)))
    if not ranked:
        return None
    best = ranked[0]
    middle = middle_of(best.user_attrs)
    assert middle is not None
    searched = bool(best.user_attrs.get(SEARCHED))
    base = PLATEAU if searched else _followed(best.params)
    point = _at(middle, best.params, others, base)
    if searched and point.tried:
        drawn = [trial for trial in ranked if not trial.user_attrs.get(SEARCHED)]
        params = {**drawn[0].params, **best.params} if drawn else best.params
        point = replace(point, peak=middle / SHARE * NEARER, params=params)
    point = replace(point, peak=_moved(point.peak, base, _followed(own.params)))
    due = index == COMPARED and FALL not in {_profile(one.params) for one in others}
    return replace(point, profile=FALL) if due else point


def _profile(params: Mapping[str, Any]) -> str | None:
    profiles = (value for name, value in params.items() if meaning(name) == "schedule")
    return next(map(str, profiles), None)


def _followed(params: Mapping[str, Any]) -> str:
    """Return the profile of a trial that was drawn: that of its rule where the space has none.

    A linear decay also stands for the shape of a module's own scheduler, which is not known.
    """
    rules = (value for name, value in params.items() if meaning(name) == "rule")
    return _profile(params) or record(next(map(str, rules), OWN)).schedules[0]


def _moved(peak: float, base: str, profile: str) -> float:
    return peak * _height(profile) / _height(base)


@cache
def _height(profile: str) -> float:
    """Return the best peak of a profile over that of a plateau, in convex theory.

    1 where the profile has no default.
    """
    from autolr.schedules import bound, parse  # here: reading a study needs none

    try:
        return bound(parse(profile), _LENGTH).best_peak / bound(parse(PLATEAU), _LENGTH).best_peak
    except ConfigError:
        return 1.0


def middle_of(attrs: Mapping[str, Any]) -> float | None:
    """Return the peak around which others are drawn, from a trial's attributes; None without one.

    That of a search is for whole runs with a plateau.

    Args:
        attrs: Of a trial that has ended.
    """
    found = attrs.get("found")
    peak = found.get("peak") if isinstance(found, Mapping) else None
    if not isinstance(found, Mapping) or peak is None:
        return None
    if not attrs.get(SEARCHED):
        return float(peak)
    from autolr.schedules import Schedule  # here: reading a study needs none

    schedule, steps = Schedule.from_dict(found["schedule"]), int(attrs["run_steps"])
    shaped = not (_chose_schedule(attrs) or OWN_PEAK in attrs)
    return SHARE * float(peak) * _cut(schedule, steps, shaped=shaped)


def share_of(attrs: Mapping[str, Any], params: Mapping[str, Any]) -> float:
    """Return the best peak of whole runs over the rate on which the search of a trial has settled.

    Of runs with a plateau where the search chose its own schedule; else of those that have the
    shape of its run.

    Args:
        attrs: Of the trial.
        params: Those that it has.
    """
    return SHARE if _chose_schedule(attrs) else _moved(SHARE, PLATEAU, _followed(params))


def _chose_schedule(attrs: Mapping[str, Any]) -> bool:
    return "schedule" in attrs.get(SEARCHES, ())


def _cut(schedule: "Schedule", steps: int, *, shaped: bool) -> float:
    """Return what later checks of a search have left of its peak by the middle of its run.

    Args:
        schedule: Of the run: a plateau by then, or multipliers of other rates, times the cuts.
        steps: Optimizer steps of the run.
        shaped: Whether it is a given profile, times the cuts, whose own multipliers do not count.
    """
    if not shaped:
        return schedule.at(steps // 2, steps)
    cuts = schedule.parts[1:] if schedule.kind == "product" else ()
    return math.prod(cut.at(steps // 2, steps) for cut in cuts)


def _is_first(trial: FrozenTrial) -> bool:
    """Whether a trial searched in place of a draw; where all search, no peak is drawn."""
    return bool(trial.user_attrs.get(SEARCHES) and trial.user_attrs.get(SEARCHED))


def _has_begun(trial: FrozenTrial) -> bool:
    """Whether a complete trial began from what was known: not one of the user's points to try."""
    attrs = trial.user_attrs
    return bool(attrs.get(SEARCHED) if SEARCHES in attrs else START not in attrs)


def _found(trial: FrozenTrial) -> Mapping[str, Any]:
    found = trial.user_attrs.get("found")
    return found if isinstance(found, Mapping) and found.get("peak") else {}


def _at(peak: float, params: Mapping[str, Any], others: Sequence[FrozenTrial], base: str) -> Known:
    """Return a point around a peak of the profile ``base``."""
    tried = any(
        math.isclose(one.params[name], _within(_moved(peak, base, _followed(one.params)), domain))
        for one in others
        for name, domain in one.distributions.items()
        if meaning(name) == "lr" and isinstance(domain, FloatDistribution)
    )
    return Known(peak, params, tried)


def _within(value: float, domain: FloatDistribution) -> float:
    return min(max(value, domain.low), domain.high)

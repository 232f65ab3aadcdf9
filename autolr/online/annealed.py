"""The default strategy: a race of peaks, then the winner against rivals and its own past."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from autolr import schedules
from autolr.candidate import Candidate
from autolr.errors import ConfigError
from autolr.online.actions import Rollback, Save
from autolr.online.annealed_state import AnnealedState
from autolr.online.closing import ENDS, windows_of
from autolr.online.delayed import delayed
from autolr.online.doubt import AUTO, NEVER, NOT_FINITE
from autolr.online.near_race import NEAR_BUDGET, shortened
from autolr.online.race import candidates_of, plan_race
from autolr.online.rounds import COPIES, SHORTEST_CHECK, Check, Round, price
from autolr.online.run_info import RunInfo
from autolr.online.search import Search
from autolr.online.search_serialization import search_from_dict
from autolr.online.serialization import end_from_dict
from autolr.online.thresholds import Thresholds
from autolr.predicates import is_number
from autolr.rules.fixed import OWN
from autolr.schedules import Schedule

# Of the run's steps, and of the budget at most, for copies of a saved state: a choice. More is left
# where sides of the run are not tried again.
_RESERVE, _MOST_RESERVED = 0.01, 0.2
_FLOOR = 20  # steps of the race, where the budget allows: 2.5 % of a run of 800 steps

# Each is a validation pass, which costs as much as 1 to 13 steps on the benchmark's workloads.
_WATCHED = (0.32, 0.37, 0.42, 0.47, 0.52, 0.57, 0.65, 0.73, 0.81, 0.89, 0.97)  # shares of the run
_PROFILED = (0.12, 0.15)  # shares of the run between which profiles are compared
# On six tasks of 2,000 steps and more a race and checks of half the length were as good for half
# the price; on three tasks of some 600 steps they were 11 % worse. These lengths are good for both.
_CHECKS = (
    Check(0.025, 0.045, factors=(0.5, 2.0), refines=True),
    Check(0.09, 0.115, factors=(0.5, 2.0)),
    Check(0.20, 0.23, factors=(0.5, 2.0)),
    *(Check(end, end) for end in _WATCHED),
)


@dataclass(frozen=True, slots=True)
class Annealed:
    """Score each peak by the loss it would have if it were annealed now, and keep comparing.

    Candidates are runs: the run's own first steps under its schedule, each at its own peak. A
    score is the validation loss of the average of a run's last steps, which stands for a copy
    annealed to a rate of zero and costs no step (Sandler et al. 2023, arXiv:2301.02312; Izmailov
    et al. 2018, arXiv:1803.05407): rates are compared as the end of the run will compare them, not
    by how fast the loss falls at first (short-horizon bias: Wu et al. 2018, arXiv:1803.02021).
    A race that shows nothing continues among a few, and is held again later; behind a long warm-up
    of the user's it begins within the rise. Where the winner is far from the rate that the user has
    set, that one trains on beside it and is compared with it once more. After the race the winner
    is compared with copies of itself at other rates, all of them further out when it won at the
    edge of the range of peaks, and with its own past: when its score is worse than an earlier one,
    a copy of that state is trained beside it at half the rate (after a copy that has lost, at a
    quarter, then an eighth), and replaces it if it does better.

    Args:
        candidates: How many peaks race, spaced evenly in log rate. Rules that race beside the
            user's own optimizer have up to three.
        race: Length of the race, as a share of the run, but at least 20 steps.
        checks: The comparisons after it, rising. Empty: nothing is compared after the race.
        thresholds: When a difference of scores counts.
        budget: Probe steps at most, as a share of the run's steps.
        rollback: When the run is restored to its best state. "auto": when its loss is not finite,
            and when its score has risen and a copy of that state at a lower rate, trained beside
            the run for a while, does better. "not-finite": only the former. "never".
        ends: Averages of the weights over these last shares of the run are compared with the last
            weights, behind the last step; the best takes their place where it is better. Only where
            ``rollback`` is "auto" and the thresholds allow any, the user's own optimizer trains,
            and no other callback averages weights. Empty: the last ones stay.

    Raises:
        ConfigError: If a value is out of its range.
    """

    candidates: int = 5
    race: float = 0.025
    checks: tuple[Check, ...] = _CHECKS
    thresholds: Thresholds = field(default_factory=Thresholds)
    budget: float = 0.25
    rollback: str = AUTO
    ends: tuple[float, ...] = ENDS

    rewinds: ClassVar[bool] = False
    within: ClassVar[bool] = False  # whether the user has said, as by ``rates``, what may be right

    def __post_init__(self) -> None:
        if self.candidates < 1:
            raise ConfigError.of("candidates", self.candidates, "at least 1")
        if not 0 < self.race < 1:
            raise ConfigError.of("race", self.race, "a share of the run in (0, 1)")
        ends = [check.end for check in self.checks]
        if ends != sorted(set(ends)) or not all(0 < c.start <= c.end < 1 for c in self.checks):
            raise ConfigError.of("checks", self.checks, "rising shares of the run in (0, 1)")
        if self.rollback not in (AUTO, NEVER, NOT_FINITE):
            expected = f"{AUTO!r}, {NEVER!r} or {NOT_FINITE!r}"
            raise ConfigError.of("rollback", self.rollback, expected)
        if not (is_number(self.budget) and 0 < self.budget < math.inf):
            raise ConfigError.of("budget", self.budget, "a positive share of the run's steps")
        if not all(is_number(share) and 0 < share < 1 for share in self.ends):
            raise ConfigError.of("ends", self.ends, "shares of the run in (0, 1)")

    def begin(self, run: RunInfo) -> "AnnealedState":
        """Return the search of a run, with rounds that fit under its budget.

        Where nothing fits, or nothing before the deadline, it commits at once to the run as the
        user has set it. A single peak is scored once and only followed.
        """
        first = run.peaks
        alone = len(run.entries) == 1 and first.low == first.high
        checks = _with_profiles(() if alone else self.checks, run.profiles)
        wished = max(_RESERVE * run.total_steps, COPIES * SHORTEST_CHECK)
        reserve = 0 if alone else min(wished, _MOST_RESERVED * run.budget)
        size = run.total_steps, int(run.budget - reserve)
        line_up, rounds = plan_race(run.entries, self.candidates, self._race(run), checks, size)
        near, near_steps = line_up[0][0].near, int(min(NEAR_BUDGET * run.total_steps, run.budget))
        if near is not None:
            racing = sum(len(entry.peaks(peaks)) for entry, peaks in line_up)
            rounds = shortened(rounds, racing, near_steps)
        alive = candidates_of(line_up, run.schedule or default_schedule(rounds))
        limits = tuple((entry.rule, entry.limits(peaks)) for entry, peaks in line_up)
        waits = len(line_up) == 1 and not alone and not run.rise
        search = Search(
            alive,
            tuple(replace(now, waits=waits and now.start == 0) for now in rounds),
            self.thresholds
            if run.entries[0].trusts_own
            else replace(self.thresholds, brief=0, hint=0),
            limits=limits,
            fallback=run.fallback,
            favoured=_favoured(run),
            rollback=self.rollback,
            near=near,
            near_steps=near_steps,
            chose_schedule=run.schedule is None,
            spare=max(0, int(run.budget) - price(rounds, len(alive))),
        )
        search = search.until(min(run.deadline, run.total_steps - 1))
        if len(line_up) == 1:
            search = delayed(search, run.nearest(alive), run.rise, run.total_steps)
        if not search.rounds:
            search = replace(search, alive=(run.own,))
        search = search if len(line_up) > 1 else search.of_its_rule()
        closing = self._closing(run, search)
        search = replace(search, averages=bool(closing))
        return AnnealedState(search, search.may_change, closing=closing)

    def state_from_dict(self, values: Mapping[str, Any]) -> "AnnealedState":
        """Return the state that `AnnealedState.to_dict` described."""
        pending = values["pending"]
        made = pending and (
            Save(Candidate.from_dict(pending["run"]))
            if pending["factor"] is None
            else Rollback(Candidate.from_dict(pending["run"]), pending["factor"])
        )
        return AnnealedState(
            search_from_dict(values["search"]),
            values["guarded"],
            made,
            tuple(values.get("closing", ())),  # not stored by earlier versions
            end_from_dict(values.get("averaged")),
        )

    def _closing(self, run: RunInfo, search: Search) -> tuple[int, ...]:
        """Return over how many of the run's last steps averages are compared with its end."""
        own = {candidate.rule for candidate in search.alive} == {OWN}
        free = self.rollback == AUTO and not search.is_out_of_rollbacks
        compares = own and free and search.may_change and self.checks
        if not compares or run.averaged or run.deadline < run.total_steps:
            return ()
        return windows_of(self.ends, run.total_steps)

    def _race(self, run: RunInfo) -> int:
        length = max(_FLOOR, round(self.race * run.total_steps))
        if run.rise is not None and run.rise < length:  # a longer rise delays the race, see there
            length = max(length, round(1.5 * run.rise))
        return min(length, run.total_steps // 2)


def _with_profiles(checks: tuple[Check, ...], profiles: tuple[Schedule, ...]) -> tuple[Check, ...]:
    """Return the checks with one of profiles, in place of those before it that do not refine."""
    if not profiles:
        return checks
    start, end = _PROFILED
    first = [check for check in checks if check.refines and check.end <= start]
    last = [check for check in checks if check.start >= end]
    return (*first, Check(start, end, profiles=profiles), *last)


def _favoured(run: RunInfo) -> float | None:
    """Return the peak that wins ties if that is not the fallback: the prior one beside a default.

    Who has left torch's rate in the optimizer may not have chosen it.
    """
    default = run.users_peak is None and run.entries[0].near is None
    return run.peaks.prior if default and run.fallback[1] != run.peaks.prior else None


def default_schedule(rounds: tuple[Round, ...]) -> Schedule:
    """Return a warm-up within a third of the race, a plateau, and a linear end of 40 %.

    Without rounds the warm-up takes 3 % of the run.
    """
    rise = max(2, rounds[0].horizon // 3) if rounds else 0.03
    return schedules.warmup(rise) | schedules.constant() | schedules.cooldown(0.4, "linear")

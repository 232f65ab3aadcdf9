"""Which rules race in a run, and with how many peaks each."""

import math
from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, TypeAlias

from autolr import rules
from autolr.candidate import Candidate
from autolr.online.peaks import PeakRange
from autolr.online.plan import plan_rounds
from autolr.online.race_entry import SEVERAL, RaceEntry
from autolr.online.rounds import Check, Round
from autolr.rules.fixed import OWN
from autolr.schedules import Schedule

if TYPE_CHECKING:
    from autolr.online.run_space import RuleChoice

_SHORTEST = 12  # steps of a race between rules: as of one without, see `plan`
_SHARE = 0.75  # of its length without them, at least: a choice, see `plan_race`


LineUp: TypeAlias = tuple[tuple[RaceEntry, int], ...]  # with how many peaks each


def race_entries(
    choices: Sequence["RuleChoice"], own: PeakRange, own_rate: float, *, chosen: bool
) -> tuple[RaceEntry, ...]:
    """Return the entries for what a space lets a run choose from.

    Args:
        choices: Rules, and their peaks where the space names them; else they are those of the
            rule's record.
        own: The peaks of the user's own optimizer.
        own_rate: The rate that it has.
        chosen: Whether the user has certainly set that; else it is torch's default.
    """
    return tuple(
        RaceEntry(
            _peak_range(choice, own),
            choice.name,
            choice.settings,
            own_rate if choice.name == OWN else None,
            chosen,
        )
        for choice in choices
    )


def plan_race(
    entries: Sequence[RaceEntry],
    most: int,
    race: int,
    checks: Sequence[Check],
    run: tuple[int, int],
) -> tuple[LineUp, tuple[Round, ...]]:
    """Return who races, and the rounds of the search.

    With more rules the race is shorter, and most often the user's own optimizer wins it. So rules
    get one peak each, and then the last ones are left out, until the race is at least 75 % as long
    as that of the first entry alone. Where nothing fits there are no rounds, and only the prior
    peak of the first entry.

    Args:
        entries: The most wished first.
        most: Peaks of the user's own optimizer, or of a rule alone.
        race: Wished length of the race, in steps.
        checks: The later rounds.
        run: Optimizer steps of the run, and steps beside it at most.
    """

    @cache
    def planned(line_up: LineUp) -> tuple[Round, ...]:
        count = sum(len(entry.peaks(peaks)) for entry, peaks in line_up)
        return plan_rounds(race, checks, run[0], count, run[1])

    alone = [((entries[0], count),) for count in sorted({most, min(SEVERAL, most)})[::-1]]
    longest = planned(alone[0])
    for line_up in [*_line_ups(entries, most), *alone]:
        rounds = planned(line_up)
        if rounds and (len(line_up) == 1 or _is_long_enough(rounds, longest)):
            return line_up, rounds
    return ((entries[0], 1),), ()


def candidates_of(line_up: LineUp, schedule: Schedule) -> tuple[Candidate, ...]:
    """Return the candidates of a race: rising peaks of each rule, in the order of the rules.

    Args:
        line_up: The entries, with how many peaks each.
        schedule: Of all candidates.
    """
    return tuple(
        Candidate(entry.rule, peak, schedule, rule_settings=entry.settings)
        for entry, count in line_up
        for peak in entry.peaks(count)
    )


def left_out(entries: Sequence[RaceEntry], alive: Sequence[Candidate]) -> tuple[str, ...]:
    """Return the rules that a run is too short for.

    Args:
        entries: Of the run.
        alive: The candidates that race.
    """
    racing = {candidate.rule for candidate in alive}
    return tuple(entry.rule for entry in entries if entry.rule not in racing)


def _peak_range(choice: "RuleChoice", own: PeakRange) -> PeakRange:
    if choice.rates is not None:
        return PeakRange.between(*choice.rates)
    if choice.name == OWN:
        return own
    peak = rules.record(choice.name).peak
    return PeakRange(peak.low, peak.high, peak.default, limits=peak.searched)


def _line_ups(entries: Sequence[RaceEntry], most: int) -> Iterator[LineUp]:
    """Yield who may race where there are several, the most wished first."""
    for count in range(len(entries), 1, -1):
        for peaks in (min(SEVERAL, most), 1) if count == len(entries) else (1,):
            yield tuple((e, most if e.rule == OWN else peaks) for e in entries[:count])


def _is_long_enough(rounds: Sequence[Round], longest: Sequence[Round]) -> bool:
    """Return whether a race between rules is long enough, and its winner's peak is refined.

    Args:
        rounds: With that race.
        longest: With the race of the first entry alone.
    """
    wished = longest[0].horizon if longest else math.inf
    if rounds[0].horizon < max(min(_SHORTEST, wished), _SHARE * wished):
        return False
    refined, refines = (any(r.refines and r.factors for r in plan) for plan in (rounds, longest))
    return refined or not refines

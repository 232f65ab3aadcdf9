"""What the first trial of a study leaves to the online search in its run."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from autolr import rules, study
from autolr.candidate import ONLINE, Candidate, candidate_of
from autolr.candidate_space import possible_name
from autolr.job import PeakSearch
from autolr.names import meaning
from autolr.rules.fixed import OWN
from autolr.space import Choice, Domain, Point, Range, Space, label
from autolr.study import TrialRecord

if TYPE_CHECKING:
    import optuna

# Where the user's own parameters are searched too, the first trial is far from the best one. Half
# of the search's usual budget is as good there: `examples/time_to_target/STUDIES.md`.
BRIEF = 0.12
_EVENLY = "the range is drawn from as if there had been no search"
_LEAST = 15  # steps for which that budget has to allow: no race fits under fewer


@dataclass(frozen=True, slots=True)
class FirstTrial:
    """A trial whose run searches its own peak.

    Attributes:
        rule: The rule whose peak it searches: the module's own optimizer, if the space has it.
        search: What the search may choose.
        space: What the search does not choose; None: nothing.
        own: The user's values in it; the sampler draws the others.
    """

    rule: str
    search: PeakSearch
    space: Space | None
    own: Point = field(default_factory=dict)

    @classmethod
    def of(cls, space: Space, steps: int, own: Point | None = None) -> "FirstTrial | None":
        """Return the first trial of a study; None where the space has no range of peaks.

        Of several profiles none is drawn: the search follows its own schedule. A single one
        stays.

        Args:
            space: The whole space.
            steps: Of a whole run.
            own: The user's values of parameters in it.
        """
        brief = space.paths and steps * BRIEF >= _LEAST
        domains = space.domains
        for rule in rules_of(space):
            given = {"rule": rule} if "rule" in domains else {}
            peak = domains.get(possible_name("lr", given, domains))
            if isinstance(peak, Range) and rules.record(rule).peak.searched:
                schedule = domains.get(possible_name("schedule", given, domains))
                free = isinstance(schedule, Choice) and len(schedule.options) > 1
                rates = float(peak.low), float(peak.high)
                search = PeakSearch(rates, free, BRIEF if brief else None)
                return cls(rule, search, _rest(space, free=free), own or {})
        return None

    @property
    def shown(self) -> dict[str, str]:
        """What is shown of the parameters that the search chooses."""
        return dict.fromkeys(self.search.chosen, ONLINE)

    def candidate(self, trial: "optuna.Trial") -> Candidate:
        """Return the candidate of the trial, which has no peak.

        Args:
            trial: Suggests what the search does not choose.
        """
        if self.space is None:
            return candidate_of({"rule": self.rule})
        given = {**self.own, "rule": self.rule}
        fixed = {name: label(given[name]) for name in self.space.names if name in given}
        if fixed:
            study.fix(trial, fixed)
        values = self.space.suggest(trial)
        return candidate_of({"rule": self.rule} | values, self.space.own)


def found_line(record: TrialRecord, prior: Mapping[str, float] | None = None) -> str | None:
    """Return what is said of the search of a trial that has ended; None if it had none.

    Args:
        record: The trial.
        prior: A peak by rule, with which the study has begun.
    """
    if study.SEARCHES not in record.attrs:
        return None
    middle = study.middle_of(record.attrs) if study.SEARCHED in record.attrs else None
    if middle is None:
        found = record.attrs.get("found") or {}
        kept = f", and its run kept {found['peak']:.3g}" if found.get("peak") else ""
        near = found.get("rule") in (prior or {})
        drawn = "the next trials are drawn around the prior" if near else _EVENLY
        return f"its search has compared no peaks{kept}: {drawn}"
    peak, rate = record.attrs["found"]["peak"], middle / study.SHARE
    lower = (
        "" if math.isclose(rate, peak) else f", and a rate of {rate:.3g} by the middle of the run"
    )
    share, free = (
        study.share_of(record.attrs, record.params),
        "schedule" in record.attrs[study.SEARCHES],
    )
    part = "half" if round(share, 1) == 0.5 else f"{share:.1f}"
    runs = "whole runs with a plateau" if free else "whole runs of its shape"
    return (
        f"its search found a peak of {peak:.3g}{lower}; {runs} do best at about {part} of that, "
        f"so the next trials are drawn around {share * rate:.3g}"
        + (", each at the peak of its profile" if free else "")
    )


def rules_of(space: Space) -> list[str]:
    """Return the rules of a space, the module's own optimizer first.

    Args:
        space: The whole space; without rules, its trials have that optimizer.
    """
    domain = space.domains.get("rule")
    options = map(str, domain.options) if isinstance(domain, Choice) else (OWN,)
    return sorted(options, key=lambda name: name != OWN)


def _rest(space: Space, *, free: bool) -> Space | None:
    """Return the space without the peak, and if the schedule is free without what describes it."""
    rest: list[tuple[str, Domain]] = []
    for name, domain in space.parameters:  # parents come before children
        kept = dict(rest)
        own = name in space.paths or meaning(name) == "rule"
        chosen = meaning(name) == "lr" or (free and not own)
        if not chosen and all(parent in kept for parent, _ in domain.when):
            rest.append((name, domain))
    return replace(space, parameters=tuple(rest)) if rest else None

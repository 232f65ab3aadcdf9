"""The protocol of a strategy: it takes scores and answers with the next action.

Experimental: these names and fields may change in any version. A strategy is a frozen dataclass
that holds its settings; its state travels as a value, which is stored in checkpoints and equal on
all ranks. `autolr.testing.StrategyContract` is a test to inherit.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from autolr.candidate import Candidate
from autolr.online.events import Action
from autolr.online.peaks import PeakRange
from autolr.online.race import RaceEntry
from autolr.rules.fixed import OWN
from autolr.schedules import Schedule


@dataclass(frozen=True, slots=True)
class RunInfo:
    """The run for which a strategy searches.

    Attributes:
        total_steps: Optimizer steps of the run.
        budget: Steps that probes may make beside the run, at most; infinite without a limit.
        deadline: Step by which every probe has to be scored: ``total_steps``, or less where
            `StochasticWeightAveraging` takes the rate over before the end.
        own_rate: The highest rate of the optimizer's groups, as the user set it.
        entries: What may be chosen: rules, each with its peaks, the user's own optimizer first.
        schedule: What every candidate follows; None: the strategy chooses.
        rise: Step at which the rate is highest under ``schedule``, or under the scheduler of the
            user's module, which candidates multiply; None without either.
        profiles: What the strategy may choose from after the peak, where ``schedule`` is None.
        users_peak: The peak that the user has set, in the optimizer or as the top of the module's
            own scheduler; None where it is torch's default.
    """

    total_steps: int
    budget: float
    deadline: int
    own_rate: float
    entries: tuple[RaceEntry, ...]
    schedule: Schedule | None = None
    rise: int | None = None
    profiles: tuple[Schedule, ...] = ()
    users_peak: float | None = None

    @property
    def peaks(self) -> PeakRange:
        """The peaks of the first entry."""
        return self.entries[0].peak_range

    @property
    def fallback(self) -> tuple[str, float]:
        """Rule and peak of a run in which nothing can be compared.

        The peak is the one that the user has set, unless limits exclude it, else the prior one.
        """
        rule = self.entries[0].rule
        return rule, self.peaks.fallback(self.users_peak) if rule == OWN else self.peaks.prior

    def nearest(self, candidates: Sequence[Candidate]) -> Candidate:
        """Return the candidate by the first rule, if any, whose peak is closest to the prior one.

        The run begins with it, and keeps it where it is too short to search.
        """
        target = math.log(self.peaks.prior)
        among = [one for one in candidates if one.rule == self.entries[0].rule]
        return min(
            among or candidates, key=lambda one: abs(math.log(one.peak or math.nan) - target)
        )


@dataclass(frozen=True, slots=True)
class Observation:
    """The outcome of an action.

    Attributes:
        step: Optimizer steps that the run has made.
        scores: After a `Probe`: of its candidates, in their order. Lower is better; NaN or
            infinite if a candidate diverged.
        batch_scores: The scores by validation batch, in the order of ``scores``; None where they
            are not known.
        losses: After a `Train`: the training loss of each step. They end at the first that is not
            finite.
        diverged: Candidates of the probe, by index, that were dropped since their training loss
            was not finite, in the order in which that happened.
        lost: Whether the probe ended early because every candidate has diverged. Then all scores
            are infinite, and the answer is a `Rollback`, or training ends with an error.
        steps_left: Optimizer steps that the run has yet to make; None where that is not known.
        stop_requested: Whether training will stop as soon as it can.
    """

    step: int
    scores: tuple[float, ...] = ()
    batch_scores: tuple[tuple[float, ...], ...] | None = None
    losses: tuple[float, ...] = ()
    diverged: tuple[int, ...] = ()
    lost: bool = False
    steps_left: int | None = None
    stop_requested: bool = False


class State(Protocol):
    """The state of a search: a frozen value; equal observations give equal states."""

    @property
    def action(self) -> Action:
        """What must be done next; it stays a `Commit` once it is one."""

    def observe(self, observation: Observation) -> "State":
        """Return the state after the action has been carried out."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values; no infinity, no NaN."""


class Strategy(Protocol):
    """Turns scores into actions.

    The methods return a `State`. They are annotated with Any because the parser of LightningCLI
    compares return types for equality, and a strategy names its own.
    """

    @property
    def budget(self) -> float:
        """Steps beside the run at most, as a share of the run's; infinite without a limit."""

    @property
    def rewinds(self) -> bool:
        """Whether its actions are `Train` and `Commit`, which a Trainer cannot carry out.

        Otherwise they are `Probe`, `Save`, `Rollback` and `Commit`.
        """

    def begin(self, run: RunInfo) -> Any:
        """Return the state in which the search of a run begins."""

    def state_from_dict(self, values: Mapping[str, Any]) -> Any:
        """Return the state that its ``to_dict`` described, equal to it."""

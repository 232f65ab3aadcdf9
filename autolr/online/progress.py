"""A search in progress: the state of its strategy, and the record of what has happened."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

from autolr.candidate import Candidate
from autolr.errors import ConfigError, DivergedError
from autolr.online.actions import Action, Close, Commit, Probe, Rollback, Save
from autolr.online.kept import Kept
from autolr.online.observation import Observation
from autolr.online.prior_peak import MovedPeak
from autolr.online.records import CopyRecord, ProbeScore, RollbackRecord
from autolr.online.scan import Scan
from autolr.online.serialization import (
    copies_from_list,
    copies_to_list,
    rollbacks_from_list,
    rollbacks_to_list,
    scores_from_list,
    scores_to_list,
)
from autolr.online.strategy import State, Strategy


@dataclass(frozen=True, slots=True)
class Progress:
    """The next action of a strategy, and the record of the search so far.

    A frozen value: `observe` returns the next one. It holds all that reports of a search need, so
    that a strategy keeps only what it decides by.

    Attributes:
        state: The state of the strategy.
        scan: The scan for the edge of divergence before the search, if one was made.
        prior: The peak of an earlier search around which this one is, if it was given.
        scores: Every score so far.
        rollbacks: Every rollback so far.
        copies: What the search could not carry on, so far.
        best: Step and score of the run when its state was last saved. The score is infinite where
            the state was saved anew as what trains changed.
        action: What must be done next.
    """

    state: State
    scan: Scan | None = None
    prior: MovedPeak | None = None
    scores: tuple[ProbeScore, ...] = ()
    rollbacks: tuple[RollbackRecord, ...] = ()
    copies: tuple[CopyRecord, ...] = ()
    best: tuple[int, float] | None = None
    action: Action = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "action", self.state.action)  # once: it may take a strategy long

    @property
    def searching(self) -> bool:
        """Whether the search is still under way."""
        return not isinstance(self.action, Commit)

    @property
    def cut(self) -> bool:
        """Whether the search has ended before it was over."""
        return any(record.ends_search for record in self.copies)

    @property
    def probe(self) -> Probe | None:
        """The probe that is under way or comes next; None if another action does."""
        return self.action if isinstance(self.action, Probe) else None

    @property
    def closes(self) -> bool:
        """Whether nothing is left but to compare the last weights with their averages."""
        return isinstance(self.action, Close)

    @property
    def closing(self) -> tuple[int, ...]:
        """Over how many of the run's last steps the averages are that end it."""
        return self.action.closing if isinstance(self.action, Probe | Close) else ()

    @property
    def guarded(self) -> bool:
        """Whether losses are watched in the present probe."""
        return self.probe is not None and self.probe.guarded

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """What is compared next; at the end what the run continues as."""
        return (self.action.run,) if self.probe is None else self.probe.candidates

    def noting(self, record: CopyRecord) -> "Progress":
        """Return the progress with one more record of copies."""
        return replace(self, copies=(*self.copies, record))

    def ended(self, record: CopyRecord, run: Candidate) -> "Progress":
        """Return the progress of a search that has ended before it was over.

        Args:
            record: Why.
            run: What the run continues as.
        """
        return replace(self.noting(record), state=Kept(Commit(run)))

    def is_due(self, step: int, *, within: int) -> bool:
        """Return whether the next probe begins or ends within so many steps.

        Args:
            step: Optimizer steps that the run has made.
            within: In steps.
        """
        ends = () if self.probe is None else (self.probe.start, self.probe.horizon)
        return any(0 <= end - step <= within for end in ends)

    def observe(self, observation: Observation) -> "Progress":
        """Return the progress after the action has been carried out.

        Raises:
            DivergedError: If no finite candidate is left, and the strategy does not roll back.
            ConfigError: If the strategy rolls back and has never saved a state.
        """
        action = self.action
        after = replace(self, state=self.state.observe(observation))
        if observation.changed is not None and self.best is not None:
            after = replace(after, best=(observation.changed, math.inf))
        if isinstance(action, Save):
            return replace(after, best=(observation.step, self._last_score()))
        if not isinstance(action, Probe) or observation.rise is not None:
            return after
        if not observation.lost:
            after = replace(after, scores=self.scores + _scored(action, observation, after.action))
        elif not isinstance(after.action, Rollback):
            raise self._diverged(action, observation.step)
        return after._with_rollback(action, observation)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values; `from_dict` takes them back."""
        return {
            "state": self.state.to_dict(),
            "scan": None if self.scan is None else self.scan.to_dict(),
            "prior": None if self.prior is None else asdict(self.prior),
            "scores": scores_to_list(self.scores),
            "returns": rollbacks_to_list(self.rollbacks),
            "copies": copies_to_list(self.copies),
            "best": None if self.best is None else [self.best[0], repr(self.best[1])],
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], strategy: Strategy) -> Self:
        """Return the progress that `to_dict` described, of a search by the same strategy.

        Args:
            values: What `to_dict` returned.
            strategy: The strategy of the search, with equal settings.
        """
        best = values["best"]
        return cls(
            state=strategy.state_from_dict(values["state"]),
            scan=None if values["scan"] is None else Scan.from_dict(values["scan"]),
            prior=MovedPeak(**values["prior"]) if values.get("prior") else None,
            scores=scores_from_list(values["scores"]),
            rollbacks=rollbacks_from_list(values["returns"]),
            copies=copies_from_list(values["copies"]),
            best=None if best is None else (best[0], float(best[1])),
        )

    def _last_score(self, until: float = math.inf) -> float:
        """Return the last score of the run up to a step; infinite before the first one.

        One of a probe that begins at that step is none.
        """
        of_run = (one for one in reversed(self.scores) if one.kept and one.start < until)
        return next((scored.score for scored in of_run if scored.horizon <= until), math.inf)

    def _with_rollback(self, before: Probe, observation: Observation) -> "Progress":
        """Record a rollback if that is the strategy's answer."""
        action = self.action
        if not isinstance(action, Rollback):
            return self._with_verified_rollback(before)
        if self.best is None:
            raise ConfigError("the strategy answered with Rollback before any Save")
        score = math.inf if observation.lost else self._last_score()
        made = RollbackRecord(observation.step, self.best[0], action.factor, score)
        return replace(self, rollbacks=(*self.rollbacks, made))

    def _with_verified_rollback(self, probe: Probe) -> "Progress":
        """Record a rollback if a copy of the saved state has taken the place of the run."""
        if self.best is None or self.action.run != probe.copied:
            return self
        score = self._last_score(until=probe.start)
        made = RollbackRecord(probe.start, self.best[0], probe.factor, score)
        return replace(self, rollbacks=(*self.rollbacks, made))

    def _diverged(self, probe: Probe, step: int) -> DivergedError:
        if not self.scores:
            lowest = min(candidate.peak or math.inf for candidate in probe.candidates)
            return DivergedError(
                f"every rate tried diverged within {step} steps, down to {lowest:.3g}; give lower "
                "ones as rates=(low, high)"
            )
        return DivergedError(
            f"the loss is not finite at step {step}, after {len(self.rollbacks)} rollbacks to an "
            "earlier state; give lower rates as rates=(low, high)"
        )


def _scored(probe: Probe, observation: Observation, then: Action) -> tuple[ProbeScore, ...]:
    """Return the scores of a probe; a candidate that was dropped or ended has none.

    Where the run continues as none of its candidates, the state of the first one left has stayed
    in place, and its rate changes.
    """
    left = [c for index, c in enumerate(probe.candidates) if index not in observation.diverged]
    continued = then.run if then.run in probe.candidates else next(iter(left), None)
    return tuple(
        ProbeScore(
            candidate,
            probe.start,
            probe.horizon,
            score if math.isfinite(score) else math.inf,
            candidate == continued,
            probe.annealed,
            probe.ahead is not None,
        )
        for index, (candidate, score) in enumerate(
            zip(probe.candidates, observation.scores, strict=True)
        )
        if index not in (*observation.diverged, *observation.ended)
    )

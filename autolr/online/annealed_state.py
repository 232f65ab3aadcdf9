"""The state of a search by `Annealed`."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from autolr.candidate import Candidate
from autolr.online.actions import Action, Close, Commit, Rollback, Save
from autolr.online.closing import averaged_end
from autolr.online.delayed import delayed
from autolr.online.ended import after_change, without
from autolr.online.evidence import Evidence
from autolr.online.observation import Observation
from autolr.online.race_verdict import own_candidate
from autolr.online.records import AveragedEnd
from autolr.online.search import Search
from autolr.online.search_serialization import search_to_dict
from autolr.online.serialization import end_to_dict


@dataclass(frozen=True, slots=True)
class AnnealedState:
    """A search by `Annealed` under way.

    Attributes:
        search: The comparisons, made and to come.
        guarded: Whether the run's state can ever be replaced; one that is only followed is left
            alone, whatever its loss.
        pending: What has to be done before the next comparison.
        closing: Over how many of the run's last steps the averages are that are compared with its
            last weights when all else is over; empty: none are, or they have been.
        averaged: The one that has taken their place.
    """

    search: Search
    guarded: bool = True
    pending: Save | Rollback | None = None
    closing: tuple[int, ...] = ()
    averaged: AveragedEnd | None = None

    @property
    def action(self) -> Action:
        """What must be done next."""
        if self.pending is not None:
            return self.pending
        action = self.search.action
        if isinstance(action, Commit):
            if self.closing and not self.search.blind:
                return Close(action.candidate, self.closing)
            return replace(action, averaged=self.averaged)
        guarded, settled = self.guarded, self._is_settled
        return replace(action, guarded=guarded, settled=settled, closing=self.closing)

    def observe(self, observation: Observation) -> "AnnealedState":
        """Take in the scores of the present probe, or that the run has been lost."""
        if self.pending is not None:
            return replace(self, pending=None)
        if isinstance(self.action, Close):
            end = averaged_end(self.search, observation)
            return replace(self, closing=(), averaged=end)
        alive = self.search.alive
        search = after_change(self.search, observation.changed)
        search = without(search, [alive[index] for index in observation.ended])
        for index in observation.diverged:
            search = search.drop(alive[index])
        if observation.rise is not None:
            return replace(self, search=_behind_rise(search, observation))
        if observation.lost:
            if not search.can_recover:
                return self
            recovered = search.recover(observation.step)
            back = Rollback(search.alive[0], recovered.rollbacks[-1].factor)
            return replace(self, search=recovered, pending=back)
        search = search.observe(evidence_of(observation, alive, search.alive))
        return replace(self, search=search, pending=self._pending(search))

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values; `Annealed.state_from_dict` takes them back."""
        pending = self.pending and {
            "run": self.pending.run.to_dict(),
            "factor": self.pending.factor if isinstance(self.pending, Rollback) else None,
        }
        return {
            "search": search_to_dict(self.search),
            "guarded": self.guarded,
            "pending": pending,
            "closing": list(self.closing),
            "averaged": end_to_dict(self.averaged),
        }

    @property
    def _is_settled(self) -> bool:
        """Whether a race of several peaks is over, but for later checks of its winner."""
        first = self.search.scores[0].horizon if self.search.scores else 0
        raced = sum(scored.horizon == first for scored in self.search.scores)
        refined = not any(r.refines or r.own for r in self.search.rounds)
        return raced > 1 and refined and not self.search.blind

    def _pending(self, search: Search) -> Save | Rollback | None:
        """Return the action that the last scores require before the next comparison."""
        winner = next(scored.candidate for scored in reversed(search.scores) if scored.kept)
        verified = self.search.rounds[0].from_saved
        if len(search.rollbacks) > len(self.search.rollbacks) and not verified:
            return Rollback(winner, search.rollbacks[-1].factor)
        if not search.rounds:  # a run at another peak than its own begins with the winner's state
            return Save(winner) if search.alive[0] != winner else None
        useful = self.guarded and not search.is_out_of_rollbacks
        return Save(winner) if useful and search.improved else None


def evidence_of(
    observation: Observation, scored: Sequence[Candidate], alive: Sequence[Candidate]
) -> Evidence:
    """Return what is known of those candidates of a probe that are still compared.

    Args:
        observation: The outcome of the probe.
        scored: Its candidates.
        alive: Those that are still compared.
    """
    among = [scored.index(candidate) for candidate in alive]
    by_batch, inactive = observation.batch_scores, observation.inactive
    return Evidence(
        tuple(observation.scores[index] for index in among),
        by_batch and tuple(by_batch[index] for index in among),
        observation.initial,
        observation.initial_batches or (),
        tuple(inactive[index] for index in among) if inactive else (),
    )


def _behind_rise(search: Search, observation: Observation) -> Search:
    """Return the search that begins its race anew within a warm-up that other code writes.

    Args:
        search: In its race, of which nothing was scored.
        observation: With the rise.
    """
    assert observation.steps_left is not None
    own = search.alive[own_candidate(search)]
    total_steps = observation.step + observation.steps_left
    return delayed(search, own, observation.rise, total_steps, observation.step)

"""The comparisons of `Annealed`: candidates, rounds, and the scores so far.

Pure code: it takes scores and answers with the next action. It holds no model, no optimizer and
no clock, so tests need only lists of numbers, and all ranks compute the same.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from autolr import schedules
from autolr.candidate import Candidate
from autolr.online.actions import Commit, Probe
from autolr.online.doubt import AUTO, NEVER, restored, verified, watched
from autolr.online.evidence import Evidence
from autolr.online.longer_race import (
    as_the_user_set_it,
    no_further,
    with_later_race,
    with_longer_race,
    with_nearer_race,
)
from autolr.online.near_race import after_near_race
from autolr.online.own_rate import with_own_rate, without_own
from autolr.online.race_verdict import highest_alive
from autolr.online.records import ProbeScore, RollbackRecord, is_blind
from autolr.online.reschedule import followed, scaled
from autolr.online.rivals_of_round import with_rivals
from autolr.online.rounds import Round
from autolr.online.second_look import with_second_look
from autolr.online.thresholds import Thresholds
from autolr.online.verdict import beaten, winner


@dataclass(frozen=True, slots=True)
class Search:
    """A race of candidates, and later comparisons of its winner with rivals and its own past.

    A frozen value: each method returns the next search.

    Attributes:
        alive: Candidates of the present round: in the race with rising peaks, rule by rule, later
            the run and behind it its rivals.
        rounds: The rounds to come.
        thresholds: When a difference of scores counts.
        lowest: Peak that no rival goes below.
        highest: Peak that no rival exceeds.
        alive_below: Peak that no rival exceeds, as units died at higher ones in a race that showed
            nothing.
        ends: Peaks beyond which nothing was tried. A winner at one of them is followed: the rivals
            of its next check all lie on that side.
        limits: Where several rules race, by rule: the lowest and highest peak, and both ends.
        scores: Every score so far.
        rollbacks: Every rollback so far.
        best: Step and score of the best state of the run since the race.
        best_batches: That score by validation batch; empty if it is not known.
        doubts: How many copies of the best state have lost to the run since it was saved.
        fallback: Rule and peak with which the run continues when nothing can be told; None: the
            search does not check for that.
        favoured: The peak that wins ties of the race; None: that of ``fallback``.
        rollback: See `Annealed`.
        chose_schedule: Whether the strategy, not the user, has chosen what the candidates follow.
        averages: Whether the run's end will be compared with averages of its last weights.
        last: Step by which every round has to be over.
        spare: Steps that may be made beside the run in addition to those of ``rounds``.
        near: The peak of an earlier search, around which the race is; see `after_near_race`.
        near_steps: What may be made beside the run where that search was right.
        initial: The score of the run before its first step; None where it is not known.
        initial_batches: That by validation batch; empty if it is not known.
        own: The candidate of the race with the rate that the user has set, while it trains on
            beside the run; None: it does not.
    """

    alive: tuple[Candidate, ...]
    rounds: tuple[Round, ...]
    thresholds: Thresholds = field(default_factory=Thresholds)
    lowest: float = 0.0
    highest: float = math.inf
    alive_below: float = math.inf
    ends: tuple[float, float] = (0.0, math.inf)
    limits: tuple[tuple[str, tuple[float, float, float, float]], ...] = ()
    scores: tuple[ProbeScore, ...] = ()
    rollbacks: tuple[RollbackRecord, ...] = ()
    best: tuple[int, float] | None = None
    best_batches: tuple[float, ...] = ()
    doubts: int = 0
    fallback: tuple[str, float] | None = None
    favoured: float | None = None
    rollback: str = AUTO
    chose_schedule: bool = False
    averages: bool = False
    last: float = math.inf
    spare: int = 0
    near: float | None = None
    near_steps: int = 0
    initial: float | None = None
    initial_batches: tuple[float, ...] = ()
    own: Candidate | None = None

    @property
    def action(self) -> Probe | Commit:
        """What must be done next."""
        if not self.rounds:
            return Commit(self.alive[0])
        now = self.rounds[0]
        return Probe(
            self.alive,
            now.start,
            now.horizon,
            now.window,
            bool(now.profiles),
            continues=now.continues,
            from_saved=now.from_saved,
            factor=now.factors[0] if now.from_saved else 1.0,
            counts_inactive=self.races and len(self.alive) > 1,
            waits=now.waits,
            own=self.own if self.own in self.alive[1:] else None,
        )

    @property
    def races(self) -> bool:
        """Whether the present round is the race, or what continues of it."""
        now = self.rounds[0]
        return now.start == 0 or (now.continues and not now.lead)

    @property
    def least_progress(self) -> float:
        """The gain at the end of a race that has continued, where its noise is not known: a third.

        It is a share of the score of the untrained run, as ``thresholds.tie`` is at first.
        """
        return self.thresholds.tie / 3

    @property
    def may_change(self) -> bool:
        """Whether the run's state can ever be replaced."""
        recovers = self.rollback != NEVER and self.thresholds.rollbacks > 0
        return len(self.alive) > 1 or (recovers and len(self.rounds) > 1)

    @property
    def blind(self) -> bool:
        """Whether nothing could be compared so far, see `is_blind`."""
        return is_blind(self.scores)

    @property
    def curve(self) -> tuple[float, ...]:
        """The scores of the run so far."""
        return tuple(past.score for past in self.scores if past.kept and not past.annealed)

    @property
    def improved(self) -> bool:
        """Whether the last round left the run in its best state so far."""
        last = self.scores[-1]
        return self.best is not None and self.best[0] == last.horizon and not last.annealed

    @property
    def is_out_of_rollbacks(self) -> bool:
        """Whether no rollback is left."""
        return self.rollback == NEVER or len(self.rollbacks) >= self.thresholds.rollbacks

    @property
    def can_recover(self) -> bool:
        """Whether there is a saved state, and a rollback is left."""
        return self.best is not None and not self.is_out_of_rollbacks

    def peak(self, index: int) -> float:
        """Return the peak of a candidate of the present round."""
        return self.alive[index].peak or 0.0

    def until(self, step: int) -> "Search":
        """Return the search without the rounds that end after a step, also of those to come."""
        return replace(self, rounds=tuple(r for r in self.rounds if r.horizon <= step), last=step)

    def observe(self, evidence: Evidence) -> "Search":
        """Take in the scores of the present probe, in the order of its candidates.

        In the race the user's own peak wins where it ties with the best, else the lowest of a rule
        that does and is not below a 16th of the middle one, and the user's own optimizer before
        other rules. Where nothing has been gained on the untrained run the race continues among a
        few, and if it still shows nothing it is held again later.

        Where no score of the race is finite, the run continues as the candidate nearest to
        `fallback`: a metric may be defined later only. Where no score of the next round is finite
        either, or no round is left, nothing can be compared: the search is over, and the run
        continues at the peak of `fallback`. Without a fallback it continues at the lowest peak.
        """
        now = self.rounds[0]
        if len(evidence.scores) != len(self.alive):
            raise ValueError(f"{len(evidence.scores)} scores of {len(self.alive)} candidates")
        search, evidence = without_own(self._begun(evidence), evidence)
        if now.from_saved:
            return verified(search, evidence)
        for with_look in (with_longer_race, with_second_look):
            if (again := with_look(search, evidence)) is not None:
                return again
        return with_later_race(search, evidence)._continued(evidence)

    def _continued(self, evidence: Evidence) -> "Search":
        """Return the search that continues with the winner of the present round."""
        now, index = self.rounds[0], winner(self, evidence)
        search = as_the_user_set_it(self, evidence, index)
        search = search if search.races else with_nearer_race(search, evidence)
        left = replace(
            search,
            alive=(search.alive[index],),
            rounds=search.rounds[1:],
            scores=search.scores + search.scored(evidence.scores, index),
        ).of_its_rule()
        if search.races and now.continues:
            left = replace(left, alive_below=highest_alive(search, evidence))
        if now.once:
            left = no_further(left, search.alive)
        if search.near is not None and (search.races or now.factors):
            left = after_near_race(left, now, len(search.alive))
        if not now.profiles:
            left = left._without(beaten(search, evidence) if index == 0 else ())
            left = watched(left, now.horizon, evidence.scores[index], evidence.batches(index))
        if left.fallback is not None and left.blind:
            return left._without_scores(now.horizon, *left.fallback)
        left = with_own_rate(left, self, evidence, index)
        won = index == evidence.best and left.rollbacks == self.rollbacks
        return left.with_rivals(left.peak(0) if won else None)

    def scored(self, scores: Sequence[float], kept: int) -> tuple[ProbeScore, ...]:
        """Return the records of the present round.

        Args:
            scores: Of its candidates.
            kept: With which of them the run continues.
        """
        now = self.rounds[0]
        return tuple(
            ProbeScore(one, now.start, now.horizon, score, index == kept, bool(now.profiles))
            for index, (one, score) in enumerate(zip(self.alive, scores, strict=True))
        )

    def of_its_rule(self) -> "Search":
        """Return the search with the limits of the only rule that is left."""
        if not self.limits:
            return self
        lowest, highest, low, high = dict(self.limits)[self.alive[0].rule]
        return replace(self, lowest=lowest, highest=highest, ends=(low, high), limits=())

    def drop(self, candidate: Candidate) -> "Search":
        """Take out a candidate that has diverged; the last one stays."""
        alive = tuple(c for c in self.alive if c != candidate)
        if not alive:
            return self
        if self.own in (candidate, alive[0]):  # what is left is the run
            return replace(self, alive=alive, own=None)
        rival = bool(self.scores) and candidate != self.alive[0]
        return replace(self, alive=alive)._without((candidate,) if rival else ())

    def recover(self, step: int) -> "Search":
        """Return the search after a run whose loss is not finite was restored, at a lower rate.

        Call it only where the search `can_recover`.
        """
        recovered = restored(self, step, math.inf)
        begun = bool(self.rounds) and self.rounds[0].start < step
        if begun and self.rounds[0].profiles:  # the copies were of another state
            return replace(recovered, rounds=self.rounds[1:]).with_rivals()
        return recovered if begun else recovered.with_rivals()

    def with_rivals(self, won: float | None = None) -> "Search":
        """Give the run the rivals of its next round.

        Args:
            won: The peak that won the last one; None if none did.
        """
        return with_rivals(self, won) if self.rounds else self

    def _begun(self, evidence: Evidence) -> "Search":
        """Return the search that knows the score of the untrained run."""
        if self.initial is not None or evidence.initial is None:
            return self
        batches = evidence.initial_batches
        return replace(self, initial=evidence.initial, initial_batches=batches)

    def _without_scores(self, step: int, rule: str, peak: float) -> "Search":
        """Continue where no score was finite: with a second round, or to the end at ``peak``."""
        if self.rounds and self.scores[0].horizon == step:
            return self.with_rivals()
        run = self.alive[0]
        assert run.peak is not None  # a search fixes every peak
        if run.rule == rule and run.peak != peak and step > 1:
            run = replace(scaled(run, step, peak / run.peak, refines=True), peak=peak)
        if self.chose_schedule:  # a decay that the user has not set would be no rate of his own
            run = followed(run, step, schedules.constant())
        return replace(self, alive=(run,), rounds=())

    def _without(self, lost: Sequence[Candidate]) -> "Search":
        """Try no rate again on the side of the run on which these were."""
        sides = {(rival.peak or 0.0) > (self.alive[0].peak or 0.0) for rival in lost}
        rounds = tuple(
            replace(r, factors=tuple(f for f in r.factors if r.from_saved or (f > 1) not in sides))
            for r in self.rounds
        )
        saved = sum(r.price for r in self.rounds) - sum(r.price for r in rounds)
        return replace(self, rounds=rounds, spare=self.spare + saved)

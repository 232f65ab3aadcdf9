"""The comparisons of `Annealed`: candidates, rounds, and the scores so far.

Pure code: it takes scores and answers with the next action. It holds no model, no optimizer and
no clock, so tests need only lists of numbers, and all ranks compute the same.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from autolr.candidate import Candidate
from autolr.online.actions import Commit, Probe
from autolr.online.records import ProbeScore, RollbackRecord, is_blind
from autolr.online.reschedule import followed, scaled
from autolr.online.rounds import Round, outward


@dataclass(frozen=True)  # without slots: the parser of LightningCLI reads defaults by vars()
class Thresholds:
    """When a difference of scores counts, as shares of their size.

    Attributes:
        tie: In the race, the lowest peak whose score is that close to the best is taken: a rate
            that is too large costs more than one that is too small, and can be raised later.
        margin: A rival of a later round must be better than the run by that much.
        stall: After the peak has been refined a rival must moreover have gained this share of what
            the run itself has gained since its last score. A lower rate always helps at once, as
            annealing does, and may cost more later; and what differs less is mostly noise.
        settled: A rate that loses to the run by that much is not tried again, nor are others on its
            side: where the best rate moves it moves slowly, and a check has its price.
        band: The run is restored to its best state when its score is worse by that much.
        cut: The rate is multiplied by it then.
        rollbacks: How often the run may be restored.
    """

    tie: float = 0.03
    margin: float = 0.003
    stall: float = 0.22
    settled: float = 0.005
    band: float = 0.04
    cut: float = 0.5
    rollbacks: int = 4


_TIES_REACH = 16.001  # below the middle of the peaks that race; the customary range ends at 16
#                       (and rounding may put its end a little below)


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
        ends: Peaks beyond which nothing was tried. A winner at one of them is followed: the rivals
            of its next check all lie on that side.
        limits: Where several rules race, by rule: the lowest and highest peak, and both ends.
        scores: Every score so far.
        rollbacks: Every rollback so far.
        best: Step and score of the best state of the run since the race.
        fallback: Rule and peak with which the run continues when nothing can be compared; None:
            the search does not check for that.
    """

    alive: tuple[Candidate, ...]
    rounds: tuple[Round, ...]
    thresholds: Thresholds = field(default_factory=Thresholds)
    lowest: float = 0.0
    highest: float = math.inf
    ends: tuple[float, float] = (0.0, math.inf)
    limits: tuple[tuple[str, tuple[float, float, float, float]], ...] = ()
    scores: tuple[ProbeScore, ...] = ()
    rollbacks: tuple[RollbackRecord, ...] = ()
    best: tuple[int, float] | None = None
    fallback: tuple[str, float] | None = None

    @property
    def action(self) -> Probe | Commit:
        """What must be done next."""
        if not self.rounds:
            return Commit(self.alive[0])
        now = self.rounds[0]
        return Probe(self.alive, now.start, now.horizon, now.window, bool(now.profiles))

    @property
    def may_change(self) -> bool:
        """Whether the run's state can ever be replaced."""
        return len(self.alive) > 1 or (self.thresholds.rollbacks > 0 and len(self.rounds) > 1)

    @property
    def blind(self) -> bool:
        """Whether nothing could be compared so far, see `is_blind`."""
        return is_blind(self.scores)

    @property
    def improved(self) -> bool:
        """Whether the last round left the run in its best state so far."""
        last = self.scores[-1]
        return self.best is not None and self.best[0] == last.horizon and not last.annealed

    @property
    def is_out_of_rollbacks(self) -> bool:
        """Whether no rollback is left."""
        return len(self.rollbacks) >= self.thresholds.rollbacks

    @property
    def can_recover(self) -> bool:
        """Whether there is a saved state, and a rollback is left."""
        return self.best is not None and not self.is_out_of_rollbacks

    def until(self, step: int) -> "Search":
        """Return the search without the rounds that end after a step."""
        return replace(self, rounds=tuple(r for r in self.rounds if r.horizon <= step))

    def observe(self, scores: Sequence[float]) -> "Search":
        """Take in the scores of the present probe, in the order of its candidates.

        Of tied ones in the race the first wins: of a rule the lowest peak that is not below a 16th
        of the middle one, and the user's own optimizer before other rules.

        A score that is NaN counts as diverged. Where no score of the race is finite, the run
        continues as the candidate nearest to `fallback`: a metric may be defined later only. Where
        no score of the next round is finite either, or no round is left, nothing can be compared:
        the search is over, and the run continues at the peak of `fallback`. Without a fallback it
        continues at the lowest peak.
        """
        now = self.rounds[0]
        finite = [score if math.isfinite(score) else math.inf for score in scores]
        scored = list(zip(self.alive, finite, strict=True))
        winner = self._winner(finite)
        scored_now = tuple(
            ProbeScore(
                candidate, now.start, now.horizon, score, index == winner, bool(now.profiles)
            )
            for index, (candidate, score) in enumerate(scored)
        )
        left = replace(
            self,
            alive=(self.alive[winner],),
            rounds=self.rounds[1:],
            scores=self.scores + scored_now,
        )
        left = left.of_its_rule()
        if not now.profiles:
            left = left._without(self._beaten(finite) if winner == 0 else ())
            left = left._watched(now.horizon, finite[winner])
        if left.fallback is not None and left.blind:
            return left._without_scores(now.horizon, *left.fallback)
        won = finite[winner] == min(finite) and left.rollbacks == self.rollbacks
        return left._with_rivals(left.alive[0].peak if won else None)

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
        rival = bool(self.scores) and candidate != self.alive[0]
        return replace(self, alive=alive)._without((candidate,) if rival else ())

    def recover(self, step: int) -> "Search":
        """Return the search after a run whose loss is not finite was restored, at a lower rate.

        Call it only where the search `can_recover`.
        """
        recovered = self._restored(step, math.inf)
        begun = bool(self.rounds) and self.rounds[0].start < step
        if begun and self.rounds[0].profiles:  # the copies were of another state
            return replace(recovered, rounds=self.rounds[1:])._with_rivals()
        return recovered if begun else recovered._with_rivals()

    def _winner(self, scores: Sequence[float]) -> int:
        best = min(range(len(scores)), key=scores.__getitem__)
        if not math.isfinite(scores[best]):
            return 0 if self.scores or self.fallback is None else self._next_to(*self.fallback)
        if not self.scores or self.ends[1] < math.inf:
            tied = scores[best] + self.thresholds.tie * abs(scores[best])
            close = [index for index in self._lowest_peaks_first() if scores[index] <= tied]
            return next(filter(self._may_begin, close), best)
        needed = self._needed(scores[0])
        return best if scores[best] < needed else 0

    def _next_to(self, rule: str, peak: float) -> int:
        """Return the index of the candidate whose peak is the nearest, of that rule if there is."""

        def distance(index: int) -> tuple[bool, float]:
            candidate = self.alive[index]
            return candidate.rule != rule, abs(math.log((candidate.peak or math.nan) / peak))

        return min(range(len(self.alive)), key=distance)

    def _without_scores(self, step: int, rule: str, peak: float) -> "Search":
        """Continue where no score was finite: with a second round, or to the end at ``peak``."""
        if self.rounds and self.scores[0].horizon == step:
            return self._with_rivals()
        run = self.alive[0]
        assert run.peak is not None  # a search fixes every peak
        if run.rule == rule and run.peak != peak and step > 1:
            run = replace(scaled(run, step, peak / run.peak, refines=True), peak=peak)
        return replace(self, alive=(run,), rounds=())

    def _lowest_peaks_first(self) -> list[int]:
        """Return the candidates' indices, rule by rule, each from its lowest peak up."""
        rules = [candidate.rule for candidate in self.alive]
        key = {i: (rules.index(c.rule), c.peak or 0.0) for i, c in enumerate(self.alive)}
        return sorted(key, key=key.__getitem__)

    def _may_begin(self, index: int) -> bool:
        """Whether a peak is not so low that a run with it might never begin to learn."""
        candidate = self.alive[index]
        peaks = sorted(c.peak or 0.0 for c in self.alive if c.rule == candidate.rule)
        return (candidate.peak or 0.0) >= peaks[len(peaks) // 2] / _TIES_REACH

    def _needed(self, score: float) -> float:
        """Return what a rival must be below to take the place of a run with this score."""
        if not math.isfinite(score):
            return math.inf
        needed = score - self.thresholds.margin * self._size(score)
        if self.rounds[0].refines or self.rounds[0].profiles:
            return needed
        of_run = (past.score for past in reversed(self.scores) if past.kept and not past.annealed)
        before = next(filter(math.isfinite, of_run), score)
        return needed - self.thresholds.stall * max(0.0, before - score)

    def _beaten(self, scores: Sequence[float]) -> tuple[Candidate, ...]:
        """Return the rivals of a check that the run has clearly beaten."""
        if not self.scores or self.rounds[0].profiles or not math.isfinite(scores[0]):
            return ()
        clear = scores[0] + self.thresholds.settled * self._size(scores[0])
        return tuple(c for c, score in zip(self.alive, scores, strict=True) if score > clear)

    def _without(self, lost: Sequence[Candidate]) -> "Search":
        """Try no rate again on the side of the run on which these were."""
        sides = {(rival.peak or 0.0) > (self.alive[0].peak or 0.0) for rival in lost}
        rounds = (
            replace(r, factors=tuple(f for f in r.factors if (f > 1) not in sides))
            for r in self.rounds
        )
        return replace(self, rounds=tuple(rounds)) if sides else self

    def _watched(self, step: int, score: float) -> "Search":
        """Compare the run with its best score so far; restore that state where it is much worse."""
        if self.best is None or score <= self.best[1]:
            return replace(self, best=(step, score))
        band = self.thresholds.band * self._size(self.best[1])
        if score <= self.best[1] + band or self.is_out_of_rollbacks:
            return self
        return self._restored(step, score)

    def _restored(self, step: int, score: float) -> "Search":
        assert self.best is not None
        cut = self.thresholds.cut
        made = RollbackRecord(step, self.best[0], cut, score)
        run = scaled(self.alive[0], step, cut, refines=False)
        return replace(self, alive=(run,), rollbacks=(*self.rollbacks, made))

    def _with_rivals(self, won: float | None = None) -> "Search":
        """Give the run the rivals of its next round; ``won`` is the peak that won the last one."""
        if not self.rounds:
            return self
        now, run = self.rounds[0], self.alive[0]
        assert run.peak is not None  # a search fixes every peak
        up = won == self.ends[1]
        far = outward(now.factors, up=up) if won in self.ends else ()
        far = far if all(self._allows(run.peak * factor) for factor in far) else ()
        refines = now.refines or bool(far)
        within = [
            factor
            for factor in far or now.factors
            if self._allows(run.peak * factor) or (factor < 1 and not refines)
        ]
        rivals = [scaled(run, now.start, factor, refines=refines) for factor in within]
        rivals += [followed(run, now.horizon, profile) for profile in now.profiles]
        low = run.peak * min(far) if far and not up else 0.0
        high = run.peak * max(far) if far and up else math.inf
        return replace(self, alive=(run, *rivals), ends=(low, high))

    def _allows(self, peak: float) -> bool:
        return self.lowest <= peak <= self.highest

    def _size(self, score: float) -> float:
        """Return what shares of a score are of; not near 0 where scores change their sign."""
        first = next((past.score for past in self.scores if past.kept), score)
        return max(abs(score), abs(first - score)) if math.isfinite(first) else abs(score)

"""The comparisons of `Annealed`: candidates, rounds, and the scores so far.

Pure code: it takes scores and answers with the next action. It holds no model, no optimizer and
no clock, so tests need only lists of numbers, and all ranks compute the same.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from autolr.candidate import Candidate
from autolr.online.actions import Commit, Probe
from autolr.online.evidence import Evidence, standard_error
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
        longer: A race in which there is nothing to see yet goes on until it is so many times as
            long; 1: it never does.
        looks: How often a lower rate that leads by too little is compared, at most.
    """

    tie: float = 0.03
    share: float = 0.1
    least: float = 0.01
    margin: float = 0.003
    stall: float = 0.22
    settled: float = 0.005
    band: float = 0.04
    cut: float = 0.5
    rollbacks: int = 4
    longer: int = 3
    looks: int = 2


_RACE_WINDOW = 0.3
_CHECK_WINDOW = 0.6
_SHORTEST_CHECK = 6
_VERIFIES = 0.01
_RECENT = 5
_SCATTERS = 4.0
_CLEAR = 2.0  # standard errors
_MOST_DOUBTS = 2
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
        spare: Steps that may be made beside the run in addition to those of ``rounds``.
        initial: The score of the run before its first step; None where it is not known.
        best_batches: The score of the best state by validation batch; empty if not known.
        doubts: How many copies of the best state have not done better since it was saved.
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
    spare: int = 0
    initial: float | None = None
    initial_batches: tuple[float, ...] = ()
    best_batches: tuple[float, ...] = ()
    doubts: int = 0

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
        )

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

    def delayed(self, own: Candidate, step: int) -> "Search":
        """Return the search whose candidates are copied from the run at a step, not at its begin.

        So they are compared where the rate is at work, behind a long warm-up.

        Args:
            own: The candidate that the run trains until then.
            step: In steps of the run.
        """
        race, *rest = self.rounds
        assert own.peak is not None
        factors = tuple((c.peak or own.peak) / own.peak for c in self.alive if c != own)
        rounds, left = [], self.spare + sum(r.price for r in rest)
        later = ((2 * step // 3, (2.0,), True), (step, (2.0,), True))
        for start, tried, refines in ((step // 3, factors, True), *later):
            length = race.horizon if not rounds else max(_SHORTEST_CHECK, race.horizon * 3 // 4)
            start = max(start, rounds[-1].horizon if rounds else 1)
            cost = len(tried) * length if rounds else 0
            if cost > left:
                continue
            left -= cost
            window = max(1, round(_CHECK_WINDOW * length))
            rounds.append(Round(start, start + length, window, tried, refines=refines))
        watches = [r for r in rest if not r.copies]
        later = _behind([r for r in watches if r.horizon > rounds[-1].horizon], rounds[-1].horizon)
        search = replace(self, alive=(own,), rounds=(*rounds, *later), spare=left)
        return search.of_its_rule()._with_rivals()

    def observe(self, evidence: Evidence) -> "Search":
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
        finite = evidence.scores
        if self.initial is None and evidence.initial is not None:
            batches = evidence.initial_batches or ()
            self = replace(self, initial=evidence.initial, initial_batches=batches)
        if now.from_saved:
            return self._verified(evidence)
        if (rival := self._with_second_look(evidence)) is not None:
            return rival
        goes_on = self._who_goes_on(evidence)
        winner = goes_on[0] if goes_on else self._winner(evidence)
        scored_now = self._scored(finite, winner)
        if goes_on:
            return self._extended(goes_on, scored_now)
        left = replace(
            self,
            alive=(self.alive[winner],),
            rounds=self.rounds[1:],
            scores=self.scores + scored_now,
        )
        left = left.of_its_rule()
        if not now.profiles:
            left = left._without(self._beaten(finite) if winner == 0 else ())
            left = left._watched(now.horizon, finite[winner], evidence.batches(winner))
        if left.fallback is not None and left.blind:
            return left._without_scores(now.horizon, *left.fallback)
        won = finite[winner] == min(finite) and left.rollbacks == self.rollbacks
        return left._with_rivals(left.alive[0].peak if won else None)

    def _scored(self, scores: Sequence[float], winner: int) -> tuple[ProbeScore, ...]:
        now = self.rounds[0]
        return tuple(
            ProbeScore(
                candidate, now.start, now.horizon, score, index == winner, bool(now.profiles)
            )
            for index, (candidate, score) in enumerate(zip(self.alive, scores, strict=True))
        )

    @property
    def _races(self) -> bool:
        """Whether the present round is the race, or what goes on of it."""
        now = self.rounds[0]
        return now.start == 0 or (now.continues and not now.lead)

    def _who_goes_on(self, evidence: Evidence) -> tuple[int, ...]:
        """Return who races on where there is nothing to see yet: the user's own peak first."""
        rest = self.rounds[1:] if self.thresholds.longer > 1 else ()
        if not (self._races and self.fallback and len(self.alive) > 2 and rest):
            return ()
        if self.rounds[0].continues or self.limits and len(self.limits) > 1:
            return ()
        if not evidence.nothing_to_see(self.thresholds.tie):
            return ()
        fit = [
            i for i in self._lowest_peaks_first() if not evidence.does_harm(i, self.thresholds.tie)
        ]
        if len(fit) < 2:
            return ()
        own = self._next_to(*self.fallback)
        own = own if own in fit else fit[-1]
        *lower, top = [i for i in fit if i != own]
        between = [i for i in lower if self._peak(i) > self._peak(own)]
        return (own, top, *(between[:1] or lower[-1:]))

    def _with_second_look(self, evidence: Evidence) -> "Search | None":
        """Compare the run a second time with a lower rate that leads, but not by enough."""
        now, scores = self.rounds[0], evidence.scores
        if (
            self.thresholds.looks < 2
            or self._races
            or now.refines
            or now.profiles
            or now.lead
            or not now.factors
        ):
            return None
        if self.ends[1] < math.inf or not math.isfinite(scores[0]):
            return None
        best, length = evidence.best, now.horizon - now.start
        lead = scores[0] - scores[best]
        clear = max(
            self.thresholds.margin * self._size(scores[0]), _CLEAR * evidence.noise(0, best)
        )
        lower = self._peak(best) <= self._peak(0)
        if not lower or lead <= clear or self._winner(evidence) != 0 or self.spare < length:
            return None
        again = Round(
            now.horizon, now.horizon + length, now.window, now.factors, continues=True, lead=lead
        )
        return replace(
            self,
            alive=(self.alive[0], self.alive[best]),
            rounds=(again, *_behind(self.rounds[1:], again.horizon)),
            scores=self.scores + self._scored(scores, 0),
            spare=self.spare - length,
        )

    def _peak(self, index: int) -> float:
        return self.alive[index].peak or 0.0

    def _extended(self, goes_on: Sequence[int], scored: tuple[ProbeScore, ...]) -> "Search":
        """Return the search whose race goes on among a few, paid by the last checks."""
        now = self.rounds[0]
        horizon = self.thresholds.longer * now.horizon
        cost = (len(goes_on) - 1) * (horizon - now.horizon)
        longer = Round(now.horizon, horizon, max(1, round(_RACE_WINDOW * horizon)), continues=True)
        shifted = _behind(self.rounds[1:], horizon)
        left = self.spare + sum(r.price for r in self.rounds[1:]) - cost
        paid, spare = _affordable(shifted, left)
        return replace(
            self,
            alive=tuple(self.alive[i] for i in goes_on),
            rounds=(longer, *paid),
            scores=self.scores + scored,
            spare=spare,
        )

    def _verified(self, evidence: Evidence) -> "Search":
        """Return the search after a rival from the saved state: it replaces the run if better."""
        now = self.rounds[0]
        last = next(past.score for past in reversed(self.scores) if past.kept and not past.annealed)
        assert self.best is not None
        scores = evidence.scores
        gain = self._band(last) / 2
        needed = min(scores[0], last) - max(gain, evidence.noise(0, -1))
        won = len(scores) > 1 and scores[1] < needed
        scored = self._scored(scores, int(won))
        alive = (self.alive[int(won)],)
        rest = replace(self, alive=alive, rounds=self.rounds[1:], scores=self.scores + scored)
        if won:
            made = RollbackRecord(now.start, self.best[0], now.factors[0], last)
            rest = replace(rest, rollbacks=(*self.rollbacks, made))
        if won or self.doubts >= _MOST_DOUBTS:
            best = (now.horizon, scores[int(won)])
            rest = replace(rest, doubts=0, best=best, best_batches=evidence.batches(int(won)))
        else:
            rest = replace(rest, doubts=self.doubts + 1)
        return rest._with_rivals()

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

    def _winner(self, evidence: Evidence) -> int:
        scores = evidence.scores
        best = evidence.best
        if not math.isfinite(scores[best]):
            return 0 if self.scores or self.fallback is None else self._next_to(*self.fallback)
        if self._races or (self.ends[1] < math.inf and not self.rounds[0].lead):
            return self._winner_of_race(evidence)
        if lead := self.rounds[0].lead:
            return best if scores[0] - scores[best] >= lead else 0
        needed = self._needed(scores[0], _CLEAR * evidence.noise(0, best))
        return best if scores[best] < needed else 0

    def _winner_of_race(self, evidence: Evidence) -> int:
        scores, best = evidence.scores, evidence.best
        if self.rounds[0].continues and evidence.nothing_to_see(self._least_progress(evidence)):
            return 0
        tie = self.thresholds.tie * abs(scores[best])
        if evidence.progress > 0 and self._races:
            first = not self.scores
            share = self.thresholds.share if first else self.thresholds.tie
            tie = min(tie, share * evidence.progress)
        order = self._lowest_peaks_first()
        if self._races and self.rounds[0].continues:
            order = [i for i in order if not evidence.is_dying(i)] or order
        fit = min(order, key=scores.__getitem__)
        if self._races and self.fallback is not None:
            own = self._next_to(*self.fallback)
            if own in order and scores[own] <= scores[fit] + max(tie, evidence.noise(own, fit)):
                return own
        if not self._races and scores[0] <= scores[fit] + _CLEAR * evidence.noise(0, fit):
            return 0
        close = [i for i in order if scores[i] <= scores[fit] + tie]
        return next(filter(self._may_begin, close), fit)

    def _least_progress(self, evidence: Evidence) -> float:
        """Return the share of the first score that counts as progress when a race has gone on.

        What can be told from noise counts then, however little it is.
        """
        return 0.0 if evidence.knows_noise else self.thresholds.tie / 3

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

    def _needed(self, score: float, noise: float = 0.0) -> float:
        """Return what a rival must be below to take the place of a run with this score."""
        if not math.isfinite(score):
            return math.inf
        needed = score - max(self.thresholds.margin * self._size(score), noise)
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
        if not sides:
            return self
        kept = tuple(rounds)
        saved = sum(r.price for r in self.rounds) - sum(r.price for r in kept)
        return replace(self, rounds=kept, spare=self.spare + saved)

    def _watched(self, step: int, score: float, batches: tuple[float, ...]) -> "Search":
        """Compare the run with its best score so far; restore that state where it is much worse."""
        if self.best is None or score <= self.best[1]:
            return replace(self, best=(step, score), best_batches=batches)
        if (
            self._is_at_chance
            or score <= self.best[1] + self._band(score)
            or self.is_out_of_rollbacks
        ):
            return self
        return self._with_doubt(step, score)

    def _band(self, score: float) -> float:
        """Return by how much a score must be worse than the best one to cast doubt on the run."""
        assert self.best is not None
        size = self._size(self.best[1])
        curve = [past.score for past in self.scores if past.kept and not past.annealed][-_RECENT:]
        curve += [score] if curve[-1] != score else []
        if len(curve) < _RECENT or not math.isfinite(size):
            return self.thresholds.band * size
        bends = [a - 2 * b + c for a, b, c in zip(curve, curve[1:], curve[2:], strict=False)]
        scatter = math.sqrt(sum(bend**2 for bend in bends) / len(bends) / 6)
        least, most = self.thresholds.least * size, self.thresholds.band * size
        return min(most, max(least, _SCATTERS * scatter))

    @property
    def _is_at_chance(self) -> bool:
        """Whether the best state cannot be told from the untrained one."""
        if self.initial is None or self.best is None:
            return False
        noise = standard_error(self.initial_batches, self.best_batches)
        return self.initial - self.best[1] <= _CLEAR * noise

    def _with_doubt(self, step: int, score: float) -> "Search":
        """Compare the run with a copy of its best state at a lower rate, where that can be paid."""
        length = max(_SHORTEST_CHECK, round(_VERIFIES * step))
        if self.spare < length or not self.rounds:
            return self
        window, cut = round(_CHECK_WINDOW * length), self.thresholds.cut ** (1 + self.doubts)
        doubt = Round(step, step + length, window, (cut,), from_saved=True)
        rest = _behind(self.rounds, step + length)
        return replace(self, rounds=(doubt, *rest), spare=self.spare - length)

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
        if now.from_saved:
            rival = scaled(run, now.start, now.factors[0], refines=False)
            return replace(self, alive=(run, rival))
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
        size = max(abs(score), abs(first - score)) if math.isfinite(first) else abs(score)
        progress = (self.initial if self.initial is not None else math.nan) - score
        return min(size, progress) if progress > 0 else size


def _behind(rounds: Sequence[Round], step: int) -> tuple[Round, ...]:
    """Return rounds that begin at a step or later, those before it moved there, one at most."""
    moved: list[Round] = []
    reached = step
    for now in rounds:
        shift = max(0, reached - now.start)
        if not now.copies and now.horizon < reached:
            continue
        later = replace(now, start=now.start + shift, horizon=now.horizon + shift)
        later = replace(later, window=min(later.window, later.horizon - reached) or 1)
        moved.append(later)
        reached = later.horizon
    return tuple(moved)


def _affordable(rounds: Sequence[Round], steps: int) -> tuple[tuple[Round, ...], int]:
    """Return rounds without the rivals that cannot be paid, and the steps that are left."""
    kept = []
    for now in rounds:
        cost = now.price
        if cost > steps:
            now, cost = replace(now, factors=(), profiles=()), 0
        steps -= cost
        kept.append(now)
    return tuple(kept), steps

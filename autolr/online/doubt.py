"""The run against its own past: when it is doubted, and when it is rolled back."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from autolr.online.evidence import Evidence
from autolr.online.later_rounds import behind
from autolr.online.noise import CLEAR, FEWEST_BATCHES, standard_error
from autolr.online.records import RollbackRecord
from autolr.online.reschedule import scaled
from autolr.online.rounds import CHECK_WINDOW, COPIES, SHORTEST_CHECK, Round
from autolr.online.verdict import size

if TYPE_CHECKING:
    from autolr.online.search import Search

AUTO, NEVER, NOT_FINITE = "auto", "never", "not-finite"

_RECENT = 5  # scores of which the scatter is taken
_SCATTERS = 4.0  # of them a rise is no scatter any more: a choice
_LENGTH = 0.01  # of the steps so far are those of a copy of the best state: a choice
_FALLEN = 0.25  # of what a run had gained: one that has lost it needs a lower rate at once
_EARLY = 0.25  # of the run
_SURE, _MORE_FALLEN = 0.25, 0.5  # of the untrained score, and of the gain: choices
_OF_LOOK = 2  # the run, and its best state
_MOST_DOUBTS = 2  # copies that lose before the run's present state counts as its best


def watched(search: "Search", step: int, score: float, batches: tuple[float, ...]) -> "Search":
    """Compare the run with its best score so far; where it is much worse, doubt it.

    Args:
        search: The search, behind the round that ended at ``step``.
        step: In steps of the run.
        score: Of the run.
        batches: The same by validation batch; empty if not known.
    """
    if search.best is None or score <= search.best[1]:
        return replace(search, best=(step, score), best_batches=batches, doubts=0)
    if not math.isfinite(score) and search.can_recover:
        return restored(search, step, score)
    least = _band(search)
    if _has_hardly_gained(search):  # the band is a share of the gain
        least = max(least, CLEAR * standard_error(batches, search.best_batches))
    risen = score > search.best[1] + least
    if search.rollback != AUTO or not risen or search.is_out_of_rollbacks:
        return search
    return search if _is_at_chance(search) else _with_copy_of_best(search, step, score)


def verified(search: "Search", evidence: Evidence) -> "Search":
    """Return the search after a copy of the best state was trained beside the run.

    It takes the place of the run where it is better than that and than a copy of the run at the
    same lower rate, which always helps at once, whatever state it begins with. All three are
    scored at the same step: a loss may rise by design. Two standard errors are asked for at first,
    one of a copy that follows another in doubt, and one or less where the run has lost a quarter of
    its gain or more, see `_errors`.
    Where no copy could be paid, the best state is scored as it is, see `_has_lost_to_saved`.
    Where the lower rate is what helps, and the run is still worse than its best state, the copy of
    the run takes its place if it is better than the run is, and was, and no step is lost. A run
    that has lost a quarter of its gain in its first quarter is compared as it is now: a lower rate
    need not have mended yet what keeps getting worse. Later the linear end is near, which mends as
    much.

    Args:
        search: The search in that round.
        evidence: The scores of the run, of the copy, and of that of the run.
    """
    now, scores = search.rounds[0], evidence.scores
    assert search.best is not None
    last = search.curve[-1]
    kept = _better(search, evidence, last)
    after = replace(
        search,
        alive=(search.alive[kept],),
        rounds=search.rounds[1:],
        scores=search.scores + search.scored(scores, kept),
        doubts=search.doubts + (not now.is_look),
    )
    if kept == 1:
        made = RollbackRecord(now.start, search.best[0], now.factors[0], last)
        after = replace(after, rollbacks=(*search.rollbacks, made))
    fails = kept == 1 and scores[1] > search.best[1] + _band(search)
    if fails:  # the copy too: its state is no better one to come back to
        after = replace(after, doubts=0)
    elif kept or after.doubts > _MOST_DOUBTS:
        best, batches = (now.horizon, scores[kept]), evidence.batches(kept)
        after = replace(after, doubts=0, best=best, best_batches=batches)
    return after.with_rivals()


def restored(search: "Search", step: int, score: float) -> "Search":
    """Return the search after its run was restored to the best state, at a lower rate.

    Args:
        search: A search that can recover.
        step: In steps of the run.
        score: Of the run; infinite if it was lost.
    """
    assert search.best is not None
    cut = search.thresholds.cut
    made = RollbackRecord(step, search.best[0], cut, score)
    run = scaled(search.alive[0], step, cut, refines=False)
    return replace(search, alive=(run,), rollbacks=(*search.rollbacks, made))


def _better(search: "Search", evidence: Evidence, last: float) -> int:
    """Return which of the run, the copy of its best state and its own copy continues."""
    scores = evidence.scores
    if search.rounds[0].is_look:
        return int(_has_lost_to_saved(search, evidence, last))
    if len(scores) <= COPIES:  # a copy has diverged: nothing can be told
        return 0
    assert search.best is not None
    gain = _band(search) / 2
    run = scores[0]
    fallen = _has_fallen(search, run)
    errors = CLEAR / (1 + search.doubts)  # a copy that leads once more says it twice
    back = min(errors, _errors(_lost(search, run, search.best[1]))) if fallen else errors
    if scores[1] < run - max(gain, back * evidence.noise(0, 1)):
        apart = max(gain, back * evidence.noise(1, 2))
        if scores[1] < scores[2] - apart:
            return 1
    still = run > search.best[1] + _band(search)
    than = run if fallen and _is_early(search) else min(run, last)
    return 2 if still and scores[2] < than - max(gain, errors * evidence.noise(0, 2)) else 0


def _has_lost_to_saved(search: "Search", evidence: Evidence, last: float) -> bool:
    """Return whether the best state, scored anew as it is, shows that the run has lost its gain.

    What raises a loss by design has raised the score of that state as well. The run counts by the
    better one of its last average and its present weights.
    """
    if len(evidence.scores) < _OF_LOOK:
        return False
    run, saved = min(evidence.scores[0], last), evidence.scores[1]
    lost = _lost(search, run, saved)
    far = lost > _least_lost(evidence.batches(0))
    return far and run > saved + _errors(lost) * evidence.noise(0, 1)


def _has_fallen(search: "Search", score: float) -> bool:
    """Return whether the run has lost a good part of what it had gained."""
    assert search.best is not None
    return _lost(search, score, search.best[1]) > _FALLEN and not _has_hardly_gained(search)


def _lost(search: "Search", score: float, best: float) -> float:
    """Return which share of its gain a run has lost; 0 where the gain is not known.

    Args:
        search: With the score of the untrained run.
        score: Of the run.
        best: Of its best state.
    """
    if search.initial is None or not search.initial > best:
        return 0.0
    return (score - best) / (search.initial - best)


def _least_lost(batches: Sequence[float]) -> float:
    """Return which share of its gain a run must have lost, more where the noise is not known.

    Args:
        batches: A score by validation batch.
    """
    return _FALLEN if len(batches) >= FEWEST_BATCHES else _MORE_FALLEN


def _errors(lost: float) -> float:
    """Return by how many standard errors the best state of a run that has fallen must be better.

    One where it has lost a quarter of its gain, none where it has lost all: what breaks a run
    raises the loss of a few batches so far that the error grows with the difference, and the less
    is left, the less there is to lose by going back.

    >>> [_errors(lost) for lost in (0.25, 0.625, 1.0, 2.0)]
    [1.0, 0.5, 0.0, 0.0]
    """
    return max(0.0, 1 - lost) / (1 - _FALLEN) * CLEAR / 2


def _is_early(search: "Search") -> bool:
    """Return whether the present round begins in the first quarter of the run."""
    return search.rounds[0].start <= _EARLY * search.last


def _has_hardly_gained(search: "Search") -> bool:
    """Return whether the best state has gained less than 1 % of the untrained score."""
    if search.initial is None or search.best is None:
        return False
    return search.initial - search.best[1] <= search.least_progress * abs(search.initial)


def _band(search: "Search") -> float:
    """Return by how much a score must be worse than the best one to cast doubt on the run."""
    assert search.best is not None
    whole = size(search, search.best[1])
    most = search.thresholds.band * whole
    scatter = _scatter(search.curve)
    if scatter is None or not math.isfinite(whole):
        return most
    return min(most, max(search.thresholds.least * whole, _SCATTERS * scatter))


def _scatter(curve: Sequence[float]) -> float | None:
    """Return by how much the last scores of a curve scatter; None where that is not known."""
    last = curve[-_RECENT:]
    if len(last) < _RECENT or not all(map(math.isfinite, last)):
        return None
    bends = [a - 2 * b + c for a, b, c in zip(last, last[1:], last[2:], strict=False)]
    return math.sqrt(sum(bend**2 for bend in bends) / len(bends) / 6)  # 6: of 1, -2, 1


def _is_at_chance(search: "Search") -> bool:
    """Return whether the best state cannot be told from the untrained one.

    With too few batches to know the noise, that is a gain of 1 % of the untrained score.
    """
    if search.initial is None or search.best is None:
        return False
    if len(search.best_batches) < FEWEST_BATCHES:
        return _has_hardly_gained(search)
    noise = standard_error(search.initial_batches, search.best_batches)
    return search.initial - search.best[1] <= CLEAR * noise


def _may_have_lost(search: "Search", score: float) -> bool:
    """Return whether a run has fallen so far that its best state is scored beside it.

    A fall within the scatter of the scores before it is none. With too few batches to know the
    noise, the best state must have gained a quarter of the untrained score, and the run have lost
    half of that: the metric of a model that has learned nothing yet moves by as much as it has
    gained.
    """
    assert search.best is not None
    best, batches = search.best[1], search.best_batches
    scatter = _scatter(search.curve[:-1]) or 0.0
    if search.initial is None or score <= best + _SCATTERS * scatter:
        return False
    if _lost(search, score, best) <= _least_lost(batches):
        return False
    if len(batches) < FEWEST_BATCHES:
        return search.initial - best >= _SURE * abs(search.initial)
    return not _has_hardly_gained(search)


def _with_copy_of_best(search: "Search", step: int, score: float) -> "Search":
    """Train a copy of the best state beside the run, at a lower rate, where that can be paid.

    Else a run that has lost a good part of its gain is compared with that state as it is, which
    costs no step.
    """
    length = max(SHORTEST_CHECK, min(round(_LENGTH * step), search.spare // COPIES))
    cut = search.thresholds.cut ** (1 + search.doubts)  # the last copy may have been too fast
    if search.spare < COPIES * length or not search.rounds or step + length > search.last:
        if not _may_have_lost(search, score):
            return search
        copy = Round(step, step, 1, (cut,), from_saved=True)
    else:
        window = round(CHECK_WINDOW * length)
        copy = Round(step, step + length, window, (cut,) * COPIES, from_saved=True)
    rounds = (copy, *behind(search.rounds, copy.horizon, search.last))
    return replace(search, rounds=rounds, spare=search.spare - copy.price)

"""Which trials are better: one order for the driver, the report and the console."""

import math
from collections.abc import Iterable, Sequence

from autolr.study.names import DISCARDED
from autolr.study.records import SAME_AS, STOPPED_AT, STOPPED_VALUE, Direction, TrialRecord

CLOSE = 0.01  # of the best score: nearer than what another seed changes in most runs


def sign_of(direction: Direction) -> int:
    """Return the factor that turns a study's values into ones of which lower is better."""
    return -1 if direction == "maximize" else 1


def ranked(trials: Iterable[TrialRecord], direction: Direction) -> tuple[TrialRecord, ...]:
    """Return the COMPLETE trials by value, best first; of equal ones the oldest first.

    Args:
        trials: Trials of one study.
        direction: Whether lower or higher values are better.
    """
    scored = [
        (sign_of(direction) * trial.value, trial.number, trial)
        for trial in trials
        if trial.value is not None and math.isfinite(trial.value)
    ]
    return tuple(trial for _, _, trial in sorted(scored, key=lambda entry: entry[:2]))


def best(
    trials: Iterable[TrialRecord], direction: Direction, n: int = 1
) -> tuple[TrialRecord, ...]:
    """Return the ``n`` best COMPLETE trials, best first; of equal ones the oldest first.

    Args:
        trials: Trials of one study. Of trials that have a cost, only the Pareto front counts.
        direction: Whether lower or higher values are better.
        n: At most so many are returned.
    """
    trials = tuple(trials)
    if any(trial.cost is not None for trial in trials):
        return front_of(trials, direction)[:n]
    return ranked(trials, direction)[:n]


def leader(trials: Iterable[TrialRecord], direction: Direction) -> TrialRecord | None:
    """Return the best COMPLETE trial; without one, the best trial that stopped early.

    Args:
        trials: Trials of one study.
        direction: Whether lower or higher values are better.
    """
    trials = tuple(trials)
    stopped = [trial for trial in trials if trial.stopped and trial.attrs[STOPPED_AT]]
    stopped.sort(key=lambda trial: sign_of(direction) * trial.attrs[STOPPED_VALUE])
    return next(iter((*best(trials, direction), *stopped)), None)


def repeatable(
    trials: Iterable[TrialRecord], direction: Direction, first: TrialRecord
) -> TrialRecord:
    """Return the trial to train again: the `leader`, or one close to it that a rerun repeats.

    A run that its search rolled back is another one from scratch, and may end far worse. Then the
    best trial that was not rolled back counts, if its score is within 1 % of the leader's.

    Args:
        trials: Trials of one study.
        direction: Whether lower or higher values are better.
        first: The leader of the trials.
    """
    if DISCARDED not in first.attrs or first.value is None:
        return first
    trials = tuple(trials)
    score, room = first.value, CLOSE * abs(first.value)
    return next(
        (
            trial
            for trial in best(trials, direction, len(trials))
            if not {DISCARDED, SAME_AS} & trial.attrs.keys()
            and trial.value is not None
            and abs(trial.value - score) <= room
        ),
        first,
    )


def keepers(trials: Iterable[TrialRecord], direction: Direction, count: int) -> set[int]:
    """Return the numbers of the trials whose weights are worth keeping.

    Args:
        trials: Trials of one study; one that repeats the score of another has no weights.
        direction: Whether lower or higher values are better.
        count: Of how many; without a COMPLETE trial, of the `leader` alone.
    """
    own = [trial for trial in trials if SAME_AS not in trial.attrs]
    first = leader(own, direction)
    chosen = best(own, direction, count) or (() if first is None else (first,)[:count])
    return {trial.number for trial in chosen}


def front_of(trials: Iterable[TrialRecord], direction: Direction) -> tuple[TrialRecord, ...]:
    """Return the trials on the Pareto front of value and cost, best value first.

    Args:
        trials: Trials of one study; those without a value or a cost are left out.
        direction: Whether lower or higher values are better; a lower cost always is.
    """
    priced = [trial for trial in trials if trial.value is not None and trial.cost is not None]
    points = [(sign_of(direction) * (trial.value or 0.0), trial.cost or 0.0) for trial in priced]
    return tuple(priced[index] for index in pareto_front(points))


def pareto_front(points: Sequence[tuple[float, float]]) -> tuple[int, ...]:
    """Return the indices of the points that no other point dominates, both coordinates minimized.

    A point dominates another one if it is as low in both coordinates and lower in one; equal
    points do not dominate each other. The order is that of the first coordinate, lowest first; of
    equal points the earliest comes first.

    >>> pareto_front([(0.5, 20.0), (0.1, 90.0), (0.6, 30.0), (0.3, 40.0)])
    (1, 3, 0)
    """
    front: list[int] = []
    least = math.inf
    for index in sorted(range(len(points)), key=points.__getitem__):
        cost = points[index][1]
        if cost < least or (front and points[index] == points[front[-1]]):
            front.append(index)
            least = cost
    return tuple(front)

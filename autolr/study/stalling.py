"""Whether a study gets no better: what `tune.stop` asks."""

from collections.abc import Sequence
from datetime import datetime

from autolr.study.ranking import best, front_of, sign_of
from autolr.study.records import Direction, TrialRecord, status_of


def has_stalled(
    trials: Sequence[TrialRecord], direction: Direction, patience: int, improvement: float = 0.0
) -> bool:
    """Return whether the last trials improved the best value too little.

    Trials that are over or wait at a rung count, in the order in which they were started last. In
    a study with a cost, each new trial on the front is an improvement. A study of which no trial
    was complete before those has not stalled.

    Args:
        trials: Of one study.
        direction: Whether lower or higher values are better.
        patience: How many trials are the last ones.
        improvement: What they improve the best value by at most.
    """
    tried = [trial for trial in trials if _was_tried(trial)]
    tried.sort(key=lambda trial: (trial.started or datetime.min, trial.number))
    before, last = tried[:-patience], tried[-patience:]
    if not best(before, direction):
        return False
    if any(trial.cost is not None for trial in tried):
        known = {(trial.value, trial.cost) for trial in before}
        front = front_of(tried, direction)
        return all((trial.value, trial.cost) in known for trial in front)
    sign = sign_of(direction)
    least, now = (
        min(sign * trial.value for trial in some if trial.value is not None)
        for some in (before, [*before, *last])
    )
    return least - now <= improvement


def _was_tried(trial: TrialRecord) -> bool:
    return status_of(trial, 1).progress in ("over", "paused")

"""A run and its scores, as tests of strategies describe them."""

import math

from autolr.candidate import Candidate
from autolr.online import PeakRange, RaceEntry, RunInfo, Strategy

OWN = RaceEntry(PeakRange.around(0.1))
"""What races in the run of `run_of`: the user's own optimizer."""

BEST = 0.03
"""The peak that scores best, within the range of `run_of`."""


def run_of(strategy: Strategy, total_steps: int) -> RunInfo:
    """Return the description of a run by the user's own optimizer, rewound if that may be.

    Args:
        strategy: Its budget is the run's.
        total_steps: Optimizer steps of the run.
    """
    budget = strategy.budget * total_steps
    return RunInfo(
        total_steps=total_steps,
        budget=budget if math.isinf(budget) else int(budget),
        deadline=total_steps,
        own_rate=0.1,
        entries=(OWN,),
        rewindable=strategy.rewinds,
    )


def bowl(candidate: Candidate, step: int) -> float:
    """Return a score that falls with the steps, and is lowest at a peak of 0.03.

    Args:
        candidate: It has a peak.
        step: Optimizer steps of the run so far.
    """
    assert candidate.peak is not None
    return 1.0 + abs(math.log(candidate.peak / BEST)) + 10.0 / (1 + step)

"""The divergence scan, carried out on a copy of a run that has not begun."""

import math
from typing import TYPE_CHECKING

from autolr.online.scan import Scan
from autolr.runtime.applied_rate import own_rate
from autolr.runtime.failures import forget_step, of_a_step
from autolr.runtime.learner import Learner
from autolr.runtime.optimizer_peaks import prior_of
from autolr.runtime.rates import Rates
from autolr.runtime.snapshot import Snapshot
from autolr.runtime.step_context import StepContext

if TYPE_CHECKING:
    from autolr.online.settings import SearchSettings


def prior_peak(
    learner: Learner, rates: Rates, settings: "SearchSettings", total_steps: int
) -> tuple[float, Scan | None]:
    """Return the peak around which to search, and the scan, if one was made.

    It is that of `prior_of`. Where there is none and the user gave no rates, it is that of a scan;
    where no rate of the scan diverges, the run is too short for one, or steps return no loss, the
    run's own.

    Args:
        learner: The run before its first step, with the batch of that step.
        rates: The rates of its optimizer.
        settings: Of the search.
        total_steps: Optimizer steps of the run.
    """
    known = prior_of(rates)
    if known is not None:
        return known, None
    scan = settings.scan(rates.base, total_steps)
    scan = None if scan is None else _scanned(learner, rates, scan)
    return (scan.centre if scan and scan.centre else rates.base), scan


def _scanned(learner: Learner, rates: Rates, scan: Scan) -> Scan | None:
    """Train a copy as the scan says.

    None where a scheduler begins at zero, so that no rate can be set, or a step returns no loss.
    """
    optimizer = learner.optimizer
    present = max(float(own_rate(group)) for group in optimizer.param_groups)
    if not present > 0:
        return None
    before = StepContext.capture(optimizer)
    copy = Snapshot(learner.model, optimizer, learner.extras)
    with copy.in_place():
        while (rate := scan.rate) is not None:
            before.restore()
            with rates.multiplied(rate / present):
                loss = loss_of_step(learner)
            if loss is None:
                break
            scan = scan.observe(loss)
    before.restore()
    return None if scan.rate is not None else scan


def loss_of_step(learner: Learner, *, raises: bool = False) -> float | None:
    """Make a step; return its loss over all ranks: NaN if it raised, None if it returns none.

    Args:
        learner: The run, of one process if ``raises``.
        raises: Whether an error of the user's code is raised: the rate is so low that it is not to
            blame.
    """
    value: float | None = math.nan
    try:
        loss = learner.trial_step()
        value = None if loss is None else float(loss)
    except of_a_step(learner.ranks):
        if raises:
            raise
        forget_step(learner.extras)  # the user's code refuses what comes of such a rate
    known = [one for one in learner.ranks.gather(lambda: value) if one is not None]
    return sum(known) / len(known) if known else None

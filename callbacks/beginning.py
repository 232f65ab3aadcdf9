"""The search that a run begins with."""

from dataclasses import replace

from autolr.callbacks.learner import LightningLearner
from autolr.callbacks.namespaces import rank_zero_info
from autolr.callbacks.own_schedulers import OwnRates
from autolr.candidate import Candidate
from autolr.online import Search, SearchSettings, excluded, opening
from autolr.runtime.rates import Rates, set_peak
from autolr.runtime.scan import prior_peak


def begun(
    learner: LightningLearner,
    rates: Rates,
    settings: SearchSettings,
    own: OwnRates | None,
    total_steps: int,
    reach: int,
) -> tuple[Search, Candidate]:
    """Return the search, and the candidate that the run trains first.

    Args:
        learner: The run, with its first batch.
        rates: The rates of its optimizer.
        settings: What the user has set.
        own: What the module's own schedulers make of the rate, if it has any.
        total_steps: Optimizer steps of the run.
        reach: Step by which the search has to be over.
    """
    prior, scan = prior_peak(learner, rates, settings, total_steps)
    begin = settings.begin if own is None else own.beginning(settings)
    kept = settings.kept(prior, set_peak(learner.optimizer, rates) if own is None else own.peak)
    search = replace(begin(prior, total_steps, scan).until(reach), kept=kept)
    live = settings.live(search, prior)
    for line in (*opening(search, live, reach), *excluded(settings.left_out(search, prior))):
        rank_zero_info(line)
    if not search.rounds:
        search = replace(search, alive=(live,))
    return search, live

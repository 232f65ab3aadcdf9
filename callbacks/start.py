"""Starts a search in a Trainer."""

from functools import partial
from typing import TYPE_CHECKING

from autolr.callbacks.handover import Handover
from autolr.callbacks.learner import LightningLearner
from autolr.callbacks.monitor import scoring
from autolr.callbacks.namespaces import (
    LightningModule,
    Trainer,
    rank_zero_info,
    rank_zero_warn,
)
from autolr.callbacks.own_schedulers import OwnRates
from autolr.callbacks.run_length import total_steps
from autolr.callbacks.validation import ValidationPass
from autolr.candidate import Candidate
from autolr.online.progress import Progress
from autolr.runtime.collectives import Ranks
from autolr.runtime.rates import Rates
from autolr.runtime.start import start_search

if TYPE_CHECKING:
    from autolr.online.settings import SearchSettings


def learner_of(
    trainer: Trainer, module: LightningModule, ranks: Ranks, monitor: str, mode: str | None
) -> LightningLearner:
    """Return the learner of a Lightning run.

    Args:
        trainer: A trainer that has begun to fit.
        module: Its module.
        ranks: The processes that train the run together.
        monitor: See `scoring`.
        mode: See `scoring`.

    Raises:
        ConfigError: As `scoring`.
    """
    validation = ValidationPass(trainer, module, ranks)
    return LightningLearner(trainer, module, validation, scoring(validation, monitor, mode))


def started(
    trainer: Trainer,
    learner: LightningLearner,
    rates: Rates,
    settings: "SearchSettings",
    own: OwnRates | None,
    handover: Handover,
) -> tuple[Progress, Candidate]:
    """Return a search that has just started, and the candidate that the run trains first.

    Args:
        trainer: The Trainer, about to train its first batch.
        learner: The run, with that batch.
        rates: The rates of its optimizer.
        settings: What the user has set.
        own: The rates under the module's own schedulers, if it has any.
        handover: When `StochasticWeightAveraging` takes the rate over, if it does.
    """
    steps = total_steps(trainer, "AutoLR")
    tell = rank_zero_info, rank_zero_warn
    start = partial(start_search, learner, rates, settings, steps, *tell)
    deadline = handover.last_search_step(trainer, steps)
    if own is None:
        return start(deadline=deadline)
    return start(deadline=deadline, own_peak=own.peak, rise=own.rise_in(steps))

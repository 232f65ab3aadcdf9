"""Starts a search in a Trainer."""

from functools import partial
from typing import TYPE_CHECKING, Any

from autolr.callbacks.handover import Handover
from autolr.callbacks.learner import LightningLearner
from autolr.callbacks.monitor import scoring
from autolr.callbacks.namespaces import LightningModule, Trainer, rank_zero_info
from autolr.callbacks.own_schedulers import OwnRates
from autolr.callbacks.requirements import check_rivals
from autolr.callbacks.run_length import warn_of_default_length
from autolr.callbacks.validation import ValidationPass
from autolr.runtime.checkpoint import ResumableRivals
from autolr.runtime.collectives import Ranks
from autolr.runtime.rates import Rates
from autolr.runtime.room import Room
from autolr.runtime.start import start_search

if TYPE_CHECKING:
    from autolr.online.settings import SearchSettings


def learner_of(
    trainer: Trainer, module: LightningModule, ranks: Ranks, monitor: str, mode: str | None
) -> LightningLearner:
    """Return the learner of a Lightning run, if rivals can be trained beside it.

    Args:
        trainer: A trainer that has begun to fit.
        module: Its module.
        ranks: The processes that train the run together.
        monitor: See `scoring`.
        mode: See `scoring`.

    Raises:
        ConfigError: As `scoring`.
        UnsupportedError: As `check_rivals`.
    """
    check_rivals(trainer, module, "AutoLR")
    validation = ValidationPass(trainer, module, ranks)
    return LightningLearner(trainer, module, validation, scoring(validation, monitor, mode))


def started(
    trainer: Trainer,
    learner: LightningLearner,
    rates: Rates,
    steps: int,
    settings: "SearchSettings",
    own: OwnRates | None,
    handover: Handover,
    room: Room,
) -> ResumableRivals:
    """Return the rivals of a search that has just started.

    Args:
        trainer: The Trainer, about to train its first batch.
        learner: The run, with that batch.
        rates: The rates of its optimizer.
        steps: Optimizer steps of the run.
        settings: What the user has set.
        own: The rates under the module's own schedulers, if it has any.
        handover: When `StochasticWeightAveraging` takes the rate over, if it does.
        room: How many copies of the run may be held.
    """
    warn_of_default_length(trainer, steps)
    start = partial(start_search, learner, rates, settings, steps, rank_zero_info)
    deadline = handover.last_search_step(trainer, steps)
    shape: Any = {} if own is None else {"own_peak": own.peak, "rise": own.rise_in(steps)}
    search, live = start(deadline=deadline, **shape)
    return ResumableRivals(learner, rates, search, steps, live, room=room)

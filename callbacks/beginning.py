"""What a search in a Trainer begins with: the learner of the run, its setup, and its rivals."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from autolr.callbacks.handover import Handover
from autolr.callbacks.learner import LightningLearner
from autolr.callbacks.monitor import check_comparable, scoring
from autolr.callbacks.namespaces import (
    LightningModule,
    Trainer,
    rank_zero_info,
    rank_zero_warn,
)
from autolr.callbacks.own_schedulers import OwnRates
from autolr.callbacks.requirements import check_rivals
from autolr.callbacks.run_length import warn_of_default_length
from autolr.callbacks.swa import averages_weights
from autolr.callbacks.validation import ValidationPass
from autolr.online.strategy import Strategy
from autolr.runtime.checkpoint import ResumableRivals
from autolr.runtime.collectives import Ranks
from autolr.runtime.rates import Rates
from autolr.runtime.room import Room
from autolr.runtime.start import Setup, start_search

if TYPE_CHECKING:
    from autolr.online.settings import SearchSettings

DEFAULT_MONITOR = "val_loss"


def learner_of(
    trainer: Trainer,
    module: LightningModule,
    ranks: Ranks,
    settings: "SearchSettings",
    monitor: str | None,
    mode: str | None,
) -> LightningLearner:
    """Return the learner of a Lightning run, if rivals can be trained beside it.

    Args:
        trainer: A trainer that has begun to fit.
        module: Its module.
        ranks: The processes that train the run together.
        settings: What the user has set; a strategy may compare training losses.
        monitor: See `scoring`; None: it is not given.
        mode: See `scoring`.

    Raises:
        ConfigError: As `scoring` and `check_comparable`.
        UnsupportedError: As `check_rivals`.
    """
    check_rivals(trainer, module, "AutoLR", sharded=True)
    check_comparable(trainer, monitor, settings)
    validation = ValidationPass(trainer, module, ranks)
    by_loss = settings.searcher.rewinds
    scored = scoring(validation, monitor or DEFAULT_MONITOR, mode, by_loss=by_loss)
    return LightningLearner(trainer, module, validation, scored)


def started(
    trainer: Trainer, learner: LightningLearner, rates: Rates, setup: Setup, room: Room
) -> ResumableRivals:
    """Return the rivals of a search that has just started; the user reads how.

    Args:
        trainer: The Trainer, about to train its first batch.
        learner: The run, with that batch.
        rates: The rates of its optimizer.
        setup: What is known of it.
        room: How many copies of the run may be held.
    """
    warn_of_default_length(trainer, setup.total_steps)
    search, live = start_search(learner, rates, setup, rank_zero_info, rank_zero_warn)
    return ResumableRivals(learner, rates, search, setup.total_steps, live, room=room)


def resumed_search(
    stored: Mapping[str, Any],
    strategy: Strategy,
    learner: "LightningLearner",
    rates: Rates,
    room: Room,
) -> ResumableRivals:
    """Return the search that `stored_search` described, of a run at the same step.

    Args:
        stored: What `stored_search` returned, after `check_resumed`.
        strategy: That of the search.
        learner: The run.
        rates: The rates of its optimizer.
        room: How many copies of the run may be held.
    """
    learner.load_state_dict(stored["learner"])
    return ResumableRivals.resumed(learner, rates, stored["rivals"], strategy, room)


def setup_of(
    trainer: Trainer,
    settings: "SearchSettings",
    steps: int,
    own: OwnRates | None,
    handover: Handover,
) -> Setup:
    """Return what is known of a search before its run begins.

    Args:
        trainer: The Trainer, about to train.
        settings: What the user has set.
        steps: Optimizer steps of the run.
        own: The rates under the module's own schedulers, if it has any.
        handover: When `StochasticWeightAveraging` takes the rate over, if it does.
    """
    peak, rise = (None, None) if own is None else (own.peak, own.rise - 1)
    last, data = handover.last_search_step(trainer, steps), trainer.train_dataloader
    return Setup(settings, steps, peak, rise, last, data, averages_weights(trainer))

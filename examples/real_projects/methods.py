"""What is compared on each project: its own rate, AutoLR, Lightning's sweep, and one candidate."""

import importlib
import os
from collections.abc import Callable, Mapping
from typing import Any, Protocol
from unittest import mock

from typing_extensions import override

from autolr.callbacks import AutoLR
from autolr.callbacks.namespaces import Callback, LightningModule, Trainer, namespace_of
from examples.real_projects.fitted import Fitted
from examples.real_projects.records import AGAIN, AUTOLR, LR_FIND, ONE, OWN


class Script(Protocol):
    """What each module of ``scripts`` has.

    Attributes:
        METRIC: The name of the score of a run.
        SEARCH: What a user of the project gives to `AutoLR`.
        RATE: The highest rate of the project's own training.
        SCHEDULED: Whether its module has a learning-rate scheduler of its own.
        STEPS: Optimizer steps of a run.
    """

    METRIC: str
    SEARCH: Mapping[str, Any]
    RATE: float
    SCHEDULED: bool
    STEPS: int

    @staticmethod
    def fit(callbacks: list[Any], max_steps: int, seed: int, rate: float = ...) -> Fitted:
        """Train as a user of the project does, by default at its own rate."""


Outcome = tuple[Fitted, dict[str, Any]]  # the end of a run, and what else is known of it


def own(script: Script, seed: int) -> Outcome:
    """Train without a callback."""
    return script.fit([], script.STEPS, seed), {}


def one_candidate(script: Script, seed: int) -> Outcome:
    """Train with a search that may only pick the project's own rate."""
    schedule = None if script.SCHEDULED else "constant"
    rates = (script.RATE, script.RATE)
    return _searched(script, seed, AutoLR(schedule=schedule, rates=rates, **script.SEARCH))


def autolr(script: Script, seed: int) -> Outcome:
    """Train with ``AutoLR()``."""
    return _searched(script, seed, AutoLR(**script.SEARCH))


def lr_find(script: Script, seed: int) -> Outcome:
    """Sweep the rate as Lightning's ``Tuner.lr_find`` does, then train at its suggestion."""
    try:
        script.fit([Sweep()], script.STEPS, seed)
    except Swept as sweep:
        rate = script.RATE if sweep.suggestion is None else sweep.suggestion
    return script.fit([], script.STEPS, seed, rate), {"peak": rate}


class Swept(Exception):
    """A sweep is over; the fit that made it ends.

    Attributes:
        suggestion: The rate that the sweep suggests; None if it suggests none.
    """

    def __init__(self, suggestion: float | None) -> None:
        super().__init__(suggestion)
        self.suggestion = suggestion


class Sweep(Callback):
    """Lightning's `LearningRateFinder`, of the Trainer's own namespace, in place of a fit."""

    @override
    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        callbacks = importlib.import_module(f"{namespace_of(type(trainer))}.callbacks")
        finder = callbacks.LearningRateFinder(update_attr=False)
        # The sweep reads the checkpoint that it has just written, with all that projects keep there
        with mock.patch.dict(os.environ, TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD="1"):
            finder.lr_find(trainer, pl_module)
        raise Swept(finder.optimal_lr.suggestion())


def _searched(script: Script, seed: int, callback: AutoLR) -> Outcome:
    end = script.fit([callback], script.STEPS, seed)
    return end, {"peak": callback.result.run_peak, "price": callback.result.price}


RUNS: Mapping[str, Callable[[Script, int], Outcome]] = {
    OWN: own,
    ONE: one_candidate,
    AUTOLR: autolr,
    LR_FIND: lr_find,
    AGAIN: own,
}

"""The steps of a module, whether the Trainer makes them or the module itself."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from autolr.callbacks.automatic_steps import AutomaticSteps
from autolr.callbacks.manual_steps import ManualSteps
from autolr.callbacks.namespaces import LightningModule, Trainer

if TYPE_CHECKING:
    from autolr.runtime.collectives import Ranks
    from autolr.runtime.stateful import Stateful


def steps_of(
    trainer: Trainer, module: LightningModule, ranks: "Ranks"
) -> AutomaticSteps | ManualSteps:
    """Return what trains the state in place as the run does.

    Args:
        trainer: A trainer that has begun to fit.
        module: Its module.
        ranks: The processes that train the run together.
    """
    if module.automatic_optimization:
        return AutomaticSteps(trainer, module, ranks)
    return ManualSteps(trainer, module, ranks, extras_of(trainer))


def extras_of(trainer: Trainer) -> Sequence["Stateful"]:
    """Return the objects beside model and optimizer whose state a step changes.

    Args:
        trainer: A trainer that has begun to fit.
    """
    scaler = getattr(trainer.precision_plugin, "scaler", None)
    return () if scaler is None else (scaler,)

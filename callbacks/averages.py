"""Averages of weights that other callbacks keep of a run."""

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import WeightAveraging


def restart_averages(trainer: Trainer, module: LightningModule) -> None:
    """Have averages begin anew: another state has taken the run's place.

    An average is that state's until its callback next updates it. One that has not begun yet
    is left as it is.
    """
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        average = callback._average_model if isinstance(callback, WeightAveraging) else None
        if average is not None and average.n_averaged > 0:
            average.n_averaged.zero_()
            average.update_parameters(module)
            average.n_averaged.zero_()

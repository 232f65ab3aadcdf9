"""Callbacks that average weights; `StochasticWeightAveraging` takes the rates over too."""

from autolr.callbacks.namespaces import (
    LightningModule,
    StochasticWeightAveraging,
    Trainer,
    WeightAveraging,
    either,
)


def swa_of(trainer: Trainer) -> StochasticWeightAveraging | None:
    """Return the callback of that kind; Lightning allows one."""
    callbacks = trainer.callbacks  # type: ignore[attr-defined]
    averaging = (c for c in callbacks if isinstance(c, either(StochasticWeightAveraging)))
    return next(averaging, None)


def max_epochs(trainer: Trainer) -> int:
    """Return ``trainer.max_epochs`` without the epoch that only updates batch norm.

    `StochasticWeightAveraging` adds it as the fit begins; no step is made in it.
    """
    return int(getattr(swa_of(trainer), "_max_epochs", trainer.max_epochs) or 0)


def averages_weights(trainer: Trainer) -> bool:
    """Return whether a callback averages the run's weights, which end as it has them."""
    return bool(_weight_averages(trainer))


def restart_averages(trainer: Trainer, module: LightningModule) -> None:
    """Restart averages of weights: another state has replaced the run's.

    An average is that state's until its callback next updates it. One that has not begun yet
    is left as it is.

    Args:
        trainer: The trainer.
        module: Its module, with the new state.
    """
    for callback in _weight_averages(trainer):
        average = callback._average_model
        if average is not None and average.n_averaged > 0:
            average.n_averaged.zero_()
            average.update_parameters(module)
            average.n_averaged.zero_()


def _weight_averages(trainer: Trainer) -> list[WeightAveraging]:
    callbacks = trainer.callbacks  # type: ignore[attr-defined]
    return [one for one in callbacks if isinstance(one, either(WeightAveraging))]

"""Averages of weights that other callbacks keep of a run."""

from autolr.callbacks.namespaces import LightningModule, Trainer, WeightAveraging, either


def restart_averages(trainer: Trainer, module: LightningModule) -> None:
    """Have averages begin anew: another state has taken the run's place.

    An average is that state's until its callback next updates it. One that has not begun yet
    is left as it is.
    """
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        averages = isinstance(callback, either(WeightAveraging))
        average = callback._average_model if averages else None
        if average is not None and average.n_averaged > 0:
            average.n_averaged.zero_()
            average.update_parameters(module)
            average.n_averaged.zero_()

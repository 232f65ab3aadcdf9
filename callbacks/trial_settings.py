"""A trial's number and settings where a run's logger keeps hyper-parameters."""

from collections.abc import Mapping

from typing_extensions import override

from autolr.callbacks.namespaces import Callback, LightningModule, Trainer


class TrialSettings(Callback):
    """Logs hyper-parameters beside those of the module, to each logger of the run.

    Args:
        settings: Plain values by name.
    """

    def __init__(self, settings: Mapping[str, object]) -> None:
        self._settings = settings

    @override
    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        for logger in trainer.loggers:
            logger.log_hyperparams(dict(self._settings))

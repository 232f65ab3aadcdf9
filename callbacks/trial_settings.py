"""A trial's number and settings where a run's logger keeps hyper-parameters."""

from collections.abc import Mapping

from typing_extensions import override

from autolr.callbacks.namespaces import Callback, LightningModule, Trainer

_SCHEDULE = "autolr/schedule"
_OWN = "the module's own"


class TrialSettings(Callback):
    """Logs hyper-parameters beside those of the module, to each logger of the run.

    Args:
        settings: Plain values by name.
        keeps_shape: Whether a scheduler of the module's own keeps its shape.
    """

    def __init__(self, settings: Mapping[str, object], *, keeps_shape: bool) -> None:
        self._settings = settings
        self._keeps_shape = keeps_shape

    @override
    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        keeps = self._keeps_shape and trainer.lr_scheduler_configs
        settings = {**self._settings, **({_SCHEDULE: _OWN} if keeps else {})}
        for logger in trainer.loggers:
            logger.log_hyperparams(dict(settings))

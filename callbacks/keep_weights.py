"""The weights of a trial that was trained to its end."""

from collections.abc import Callable
from pathlib import Path

from typing_extensions import override

from autolr.callbacks.namespaces import Callback, LightningModule, Trainer
from autolr.callbacks.prune import PruneTrial
from autolr.disk import disk_error


class KeepWeights(Callback):
    """Write the weights as the fit leaves them: a Lightning checkpoint without optimizers.

    Put it behind all other callbacks. What is pruned, diverges or is left writes nothing. A model
    that cannot be stored, as one with an attribute that no pickle holds, is trained all the same.

    Args:
        file: It is replaced as a whole.
        prune: Of the same fit: it knows whether the trial was stopped.
        remark: Called with a line if the weights cannot be stored.
    """

    def __init__(self, file: Path, prune: PruneTrial, remark: Callable[[str], None]) -> None:
        self._file = file
        self._prune = prune
        self._remark = remark

    @override
    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._prune.pruned or self._prune.diverged:
            return
        draft = self._file.with_suffix(".new")
        try:
            trainer.save_checkpoint(draft, weights_only=True)
            if trainer.is_global_zero:
                draft.replace(self._file)  # never half a file
        except Exception as error:
            if trainer.is_global_zero and not draft.is_dir():
                draft.unlink(missing_ok=True)
            if trainer.world_size > 1 or disk_error(error, self._file.parent) is not None:
                raise  # (other ranks wait for this one)
            line = str(error).partition("\n")[0]
            self._remark(f"its weights cannot be kept: {type(error).__name__}: {line}")

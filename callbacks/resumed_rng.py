"""The global generators of a fit that is resumed."""

from collections.abc import Mapping
from typing import Any

from autolr.callbacks.namespaces import Trainer
from autolr.rng import RngState


class ResumedRng:
    """Restores the global generators to their states when a checkpoint was written.

    Lightning stores no generators. A new epoch of a resumed fit draws its order when the Trainer
    makes the first iterator over the training data, before ``on_train_start``; in the middle of
    an epoch, or at its end, the cut run did not make that iterator, and the generators are
    restored after it.

    Args:
        stored: What `RngState.to_dict` returned; None: nothing is restored.
    """

    def __init__(self, stored: Mapping[str, Any] | None) -> None:
        self._generators = None if stored is None else RngState.from_dict(stored)

    def before_the_data(self, trainer: Trainer, processes: int = 1) -> None:
        """Restore them before the first iterator is made.

        Args:
            trainer: The trainer.
            processes: How many have stored theirs; with another number none are restored.
        """
        if trainer.world_size != processes:
            self._generators = None
        if self._generators is not None:
            self._generators.restore()

    def after_the_data(self, trainer: Trainer) -> None:
        """Restore them after it, before the first batch is drawn, where that is needed."""
        epoch: Any = trainer.fit_loop.epoch_progress.current
        if self._generators is not None and epoch.processed < epoch.ready:
            self._generators.restore()
        self._generators = None

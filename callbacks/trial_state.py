"""State of a trial that Lightning's checkpoints leave out."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lightning_utilities.core.apply_func import apply_to_collection
from torch import Tensor, distributed
from typing_extensions import override

from autolr.callbacks.namespaces import Callback, LightningModule, Trainer
from autolr.runtime.joint_optimizer import JointOptimizer
from autolr.runtime.outside_checkpoint import OutsideCheckpoint

_KEY = "autolr_outside"
_LIGHTNINGS = {*vars(LightningModule()), "_hparams"}  # attributes; the last one's items are kept
_OWN = ("autolr", "lightning", "pytorch_lightning")


class TrialState(Callback):
    """Keeps in a checkpoint what the model, its optimizer and callbacks hold beside their state.

    Attributes, non-persistent buffers, and callbacks without a ``state_dict`` begin anew in a
    resumed fit; here they are restored, behind all hooks of its start. Put it before all other
    callbacks. Of several ranks each has a state of its own.

    Args:
        remark: Called with a line when training has changed what cannot be kept, once in a fit.
    """

    def __init__(self, remark: Callable[[str], None]) -> None:
        self._remark = remark
        self._outside: OutsideCheckpoint | None = None
        self._loaded: dict[str, Any] | None = None
        self._lost: set[str] = set()  # what was said

    @override
    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if self._outside is not None:
            return
        optimizer = JointOptimizer.of(trainer.optimizers) if trainer.optimizers else None
        parts = stateful_parts(trainer) | hyper_parameters(trainer)
        self._outside = OutsideCheckpoint(pl_module, optimizer, parts, _LIGHTNINGS)
        if self._loaded is not None:
            self._outside.load_state_dict(self._loaded)
            self._loaded = None

    @override
    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Have schedulers that watch a metric step at the end of an epoch in which a pause was.

        Lightning leaves that step out: it cannot know whether the metric was logged since.
        """
        watched = [c.monitor for c in trainer.lr_scheduler_configs if c.reduce_on_plateau]
        if watched and all(name in trainer.callback_metrics for name in watched):
            trainer.fit_loop._restarting = False

    @override
    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        kept = self._loaded if self._outside is None else self._outside.state_dict()
        by_rank = [kept]
        if trainer.world_size > 1:  # each rank has its own
            by_rank = [None] * trainer.world_size
            distributed.all_gather_object(by_rank, apply_to_collection(kept, Tensor, Tensor.cpu))
        checkpoint[_KEY] = by_rank
        if self._outside is not None and trainer.is_global_zero:
            self._say(self._outside.lost())

    def _say(self, lost: Sequence[str]) -> None:
        """Name what a checkpoint leaves out, unless that was said."""
        if new := [name for name in lost if name not in self._lost]:
            self._lost.update(new)
            self._remark(
                f"no checkpoint holds {', '.join(new)}, which training has changed: resumed, the "
                "trial begins it anew; keep what it has in numbers, lists or tensors, or write "
                "tune.pruner: {name: hyperband, pause: false}"
            )

    @override
    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: Mapping[str, Any]
    ) -> None:
        by_rank = checkpoint.get(_KEY, ())
        if len(by_rank) == trainer.world_size:
            self._loaded = by_rank[trainer.global_rank]


class _Saved:
    """Has the items of a dict as its attributes."""

    def __init__(self, items: dict[str, Any]) -> None:
        self.__dict__ = items


def stateful_parts(trainer: Trainer) -> dict[str, object]:
    """Return the user's callbacks and data module that keep no state in a checkpoint, by name."""
    parts: dict[str, object] = {}
    callbacks: list[Callback] = list(trainer.callbacks)  # type: ignore[attr-defined]
    for index, callback in enumerate(callbacks):
        kind = type(callback)
        own = kind.__module__.partition(".")[0] in _OWN
        if not (own or _overrides(kind, "state_dict") or _overrides(kind, "on_save_checkpoint")):
            parts[f"{kind.__name__} (callback {index})"] = callback
    data = trainer.datamodule  # type: ignore[attr-defined]
    if data is not None and not _overrides(type(data), "state_dict"):
        parts[type(data).__name__] = data
    return parts


def hyper_parameters(trainer: Trainer) -> dict[str, object]:
    """Return objects whose attributes are the hyper-parameters that module and data have saved."""
    parts: dict[str, object] = {}
    data = trainer.datamodule  # type: ignore[attr-defined]
    for name, owner in (("hparams", trainer.lightning_module), ("hparams of the data", data)):
        if owner is not None and isinstance(owner.hparams, dict):
            parts[name] = _Saved(owner.hparams)
    return parts


def _overrides(kind: type, method: str) -> bool:
    owner = next(base for base in kind.__mro__ if method in vars(base))
    return owner.__module__.partition(".")[0] not in _OWN

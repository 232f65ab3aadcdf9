"""Record the norms of a run's gradients."""

from os import PathLike
from pathlib import Path
from typing import Any

from torch.optim import Optimizer
from typing_extensions import override

from autolr.callbacks.loss_scale import scale_left
from autolr.callbacks.namespaces import (
    Callback,
    DeepSpeedStrategy,
    LightningModule,
    Trainer,
    either,
)
from autolr.callbacks.sharded import is_sharded
from autolr.disk import check_folder
from autolr.errors import ConfigError, UnsupportedError
from autolr.result.norms import NORMS, Kind, Norms
from autolr.rules.switching import rule_optimizer_of
from autolr.runtime.gradient_norms import GradientNorms
from autolr.settings import Maybe, OneOf, read_setting

_BY_SIGN = ("lion", "prodigy", "adafactor")  # as Adam: each element has its own scale


class RecordNorms(Callback):
    """Record the norm of the gradient at each step, for the command ``autolr refine``.

    It is the gradient that the step uses, before it is clipped: accumulated, unscaled where a
    scaler is, and averaged over processes. The run stays what it is, bit for bit. Norms stay on the
    device and are fetched 256 at a time. Beside `AutoLR` they are those of the run, not of rivals;
    up to where a rival has replaced the run, they are of the run before.

    Args:
        save_to: A folder for ``norms.json``, checked before the first step and written after the
            fit; that of ``AutoLR(save_to=)``, so that the peak is known too.
        norm: "l2", or "l1", the sum of absolute values; None: "l1" for Adam and its kin, by their
            names or those of their base classes, "l2" for any other optimizer.

    Raises:
        ConfigError: If a value cannot work.
        UnsupportedError: Before the first step, if weights are sharded.

    Source: Defazio et al. 2023, arXiv:2310.07831: what `autolr.schedules.refine` takes.
    """

    def __init__(self, save_to: str | Path, norm: str | None = None) -> None:
        read_setting("norm", Maybe(OneOf(("l1", "l2"))), norm)
        if not isinstance(save_to, str | PathLike) or not str(save_to):
            raise ConfigError.of("save_to", save_to, "a folder")
        self._save_to, self._norm = Path(save_to), norm
        self._norms: GradientNorms | None = None
        self._stored: dict[str, Any] | None = None

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if is_sharded(trainer.strategy) or isinstance(trainer.strategy, either(DeepSpeedStrategy)):
            raise UnsupportedError("RecordNorms does not support sharded weights: leave it out")
        if trainer.is_global_zero:
            check_folder(self._save_to, "save_to", (NORMS,))
        norm = self._norm or ("l1" if all(map(_is_like_adam, trainer.optimizers)) else "l2")
        self._norms = GradientNorms(int(norm[1]), **(self._stored or {}))
        self._stored = None

    @override
    def on_before_optimizer_step(
        self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer
    ) -> None:
        if self._norms is not None and trainer.is_global_zero:  # equal on all processes
            trained = (one for group in optimizer.param_groups for one in group["params"])
            self._norms.add(trained, scale_left(trainer, optimizer))

    @override
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if self._norms is not None:
            self._norms.end_step()

    @override
    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        norms = self._norms
        if norms is not None and trainer.is_global_zero:
            kind: Kind = "l1" if norms.order == 1 else "l2"
            Norms(kind, norms.values(), norms.made).write(self._save_to)

    @override
    def state_dict(self) -> dict[str, Any]:
        norms = self._norms
        if norms is None:
            return {}
        return {"values": list(norms.values()), "every": norms.every, "made": norms.made}

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._stored = state_dict or None


def _is_like_adam(optimizer: Optimizer) -> bool:
    """Return whether an optimizer or rule scales each element of a gradient by itself."""
    stepping = rule_optimizer_of(optimizer)
    made = type(optimizer) if stepping is None else type(stepping.rule)
    names = [each.__name__.lower() for each in made.__mro__]
    return any("adam" in name or name in _BY_SIGN for name in names)

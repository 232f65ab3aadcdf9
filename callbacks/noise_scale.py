"""Measure the noise scale of gradients in a run that accumulates them."""

from typing import Any

from torch import Tensor
from torch.optim import Optimizer
from typing_extensions import override

from autolr.callbacks.loss_scale import scale_left
from autolr.callbacks.namespaces import (
    STEP_OUTPUT,
    Callback,
    LightningModule,
    Trainer,
    extract_batch_size,
    rank_zero_info,
)
from autolr.callbacks.search_metrics import log_value
from autolr.callbacks.step_count import is_manual
from autolr.errors import UnsupportedError
from autolr.online.noise_scale import NoiseScale
from autolr.runtime.total_norm import total_norm


class MeasureNoiseScale(Callback):
    """Estimate the critical batch size from accumulated gradients; the run is the same.

    The gradient of the first batch of a step is compared with that of all batches of the step:
    two norms each step, before clipping. `result` has the estimate, the Trainer's loggers get
    ``autolr/critical_batch_size``, and a line tells it at the end. Steps with batches of several
    sizes are left out. Under DDP each process compares its first batch with the mean of all.

    Args:
        decay: Share of the averages over steps that stays, see `autolr.online.NoiseScale`.

    Attributes:
        result: The estimate so far.

    Raises:
        ConfigError: If ``decay`` is outside [0, 1).
        UnsupportedError: Before the first training step, if no gradients are accumulated, or the
            module optimizes by hand.

    Source: McCandlish et al. 2018, arXiv:1812.06162, appendix A.1.
    """

    def __init__(self, decay: float = 0.99) -> None:
        self.result = NoiseScale(decay)
        self._sizes: list[int] = []  # of the batches of a step, so far
        self._first: Tensor | None = None  # squared norm of the gradient of the first of them

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if is_manual(trainer):
            raise UnsupportedError("MeasureNoiseScale does not support manual optimization")
        if trainer.accumulate_grad_batches < 2:
            raise UnsupportedError(
                "MeasureNoiseScale compares the batches of a step: set the Trainer's "
                "accumulate_grad_batches to at least 2, with batches that much smaller"
            )

    @override
    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if batch_idx % trainer.accumulate_grad_batches == 0:
            self._sizes, self._first = [], None
        self._sizes.append(extract_batch_size(batch))

    @override
    def on_after_backward(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if len(self._sizes) == 1:
            scaler = getattr(trainer.precision_plugin, "scaler", None)
            scale = trainer.accumulate_grad_batches / (scaler.get_scale() if scaler else 1.0)
            self._first = squared_norm(pl_module) * scale**2

    @override
    def on_before_optimizer_step(
        self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer
    ) -> None:
        count, first = len(self._sizes), self._first
        if first is None or count < 2 or len(set(self._sizes)) > 1:
            return
        share = trainer.accumulate_grad_batches / count  # the last step of an epoch may have fewer
        share /= scale_left(trainer, optimizer)
        big = float(squared_norm(pl_module) * share**2)
        size = self._sizes[0]
        sizes = (size, size * count * trainer.world_size)
        self.result = self.result.observe(small=float(first), big=big, sizes=sizes)

    @override
    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: STEP_OUTPUT,
        batch: Any,
        batch_idx: int,
    ) -> None:
        size = self.result.critical_batch_size
        if size is not None and len(self._sizes) == trainer.accumulate_grad_batches:
            log_value(trainer, "critical_batch_size", size)

    @override
    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        rank_zero_info(f"MeasureNoiseScale: {self.result}")

    @override
    def state_dict(self) -> dict[str, Any]:
        return {"steps": self.result.steps, "moments": [self.result.squared, self.result.trace]}

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        squared, trace = state_dict["moments"]
        self.result = NoiseScale(self.result.decay, state_dict["steps"], squared, trace)


def squared_norm(module: LightningModule) -> Tensor:
    """Return the squared norm of the gradient of all parameters, a scalar."""
    gradients = [p.grad for p in module.parameters() if p.grad is not None]
    return total_norm(gradients, 2).double().square()

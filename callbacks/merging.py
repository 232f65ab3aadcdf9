"""Merge the last checkpoints of a run into the weights that are validated and saved."""

from collections.abc import Mapping
from typing import Any

import torch
from typing_extensions import override

from autolr.callbacks.merging_checks import check_averaging, check_merging
from autolr.callbacks.namespaces import (
    STEP_OUTPUT,
    Callback,
    LightningModule,
    Trainer,
    WeightAveraging,
    is_overridden,
)
from autolr.callbacks.recent_batches import RecentBatches
from autolr.errors import ConfigError
from autolr.quoting import quoted
from autolr.runtime.merged_model import MergedModel
from autolr.schedules import Schedule
from autolr.schedules.merge_recipe import MergeRecipe
from autolr.settings import read_whole


class MergeCheckpoints(WeightAveraging, Callback):
    """Validate, save and end with a weighted sum of the last checkpoints.

    At a constant rate the merge stands for a run that was cooled down over the merged steps, at any
    time and without a planned end. Training never sees it. It is a `WeightAveraging` of Lightning:
    validation sees the merge, a checkpoint's ``state_dict`` holds it (the weights in training are
    beside it, for a fit that is resumed, with the checkpoints that are still to be merged), and it
    is the module's when training ends. Before the first checkpoint it is the weights in training.

    Statistics of batch norm are those of the merge, on the last training batches. An `AutoLR`
    that puts a rival or an earlier state in the run's place has the merge begin anew there.

    Args:
        weights: Of the checkpoints. A shape of `autolr.schedules.cooldown` or a `Schedule` that
            never rises: those of WSM, which stand for that cooldown. ``"linear"`` and ``"lawa"``
            are the mean. ``"polynomial"``, ``{"polynomial": gamma}`` and ``{"ema": decay}``:
            running averages of all checkpoints.
        latest: How many are merged, at most; the device holds as many copies of what is trained.
            Running averages hold one.
        every: Optimizer steps, as the Trainer counts them, from one checkpoint to the next; None:
            one at the end of each epoch.
        device: Where the copies are; None: with the module.

    Raises:
        ConfigError: If a setting cannot work.
        UnsupportedError: Before the first training step, if the weights are sharded, or something
            else replaces the weights that are validated.

    Source: Tian et al. 2025 (WSM), arXiv:2507.17634, theorem 3.1; Kaddour 2022 (LAWA),
    arXiv:2209.14981.
    """

    def __init__(
        self,
        weights: str | Mapping[str, Any] | Schedule = "linear",
        latest: int = 10,
        every: int | None = None,
        device: torch.device | str | int | None = None,
    ) -> None:
        super().__init__(device=_known(device))
        self._latest = read_whole("latest", latest)
        self._recipe = MergeRecipe.of(weights, self._latest)
        self._every = None if every is None else read_whole("every", every)
        self._ends_epoch = self._swapped = False
        self._batches: RecentBatches | None = None
        self._stored: Mapping[str, Any] = {}  # of the run that is resumed

    @override
    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if stage != "fit":
            return
        check_merging(trainer, self)
        if is_overridden("configure_model", pl_module):
            pl_module.configure_model()
        device = self._device or pl_module.device
        self._average_model = MergedModel(pl_module, self._recipe, self._latest, device)

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        check_averaging(trainer, self)
        self._batches = RecentBatches(trainer, pl_module)
        if self._stored:
            self._check_weights(self._stored.get("weights"))
            self._merged.load_kept(self._stored["kept"])
            self._batches.load_state_dict(self._stored)
            self._stored = {}

    @override
    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        assert self._batches is not None
        self._batches.take(batch, batch_idx)

    @override
    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: STEP_OUTPUT,
        batch: Any,
        batch_idx: int,
    ) -> None:
        assert self._batches is not None
        self._ends_epoch = trainer.is_last_batch
        before = self._latest_update_step
        super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)
        if self._latest_update_step != before:
            self._swap_models(pl_module)
            try:
                self._batches.renew_statistics()
            finally:
                self._swap_models(pl_module)

    @override
    def should_update(self, step_idx: int | None = None, epoch_idx: int | None = None) -> bool:
        if step_idx is None:
            return False
        if self._every is None:
            return self._ends_epoch
        return (step_idx + 1) // self._every > self._latest_update_step // self._every

    @override
    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._follow(pl_module)
        super().on_validation_epoch_start(trainer, pl_module)

    @override
    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        if self._swapped:  # within validation: a checkpoint may be written
            self._swap_models(pl_module)

    @override
    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._follow(pl_module)
        super().on_train_end(trainer, pl_module)

    @override
    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        self._follow(pl_module)
        super().on_save_checkpoint(trainer, pl_module, checkpoint)

    @override
    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self._average_model = self._batches = None  # what is loaded later is validated as it is

    @override
    def state_dict(self) -> dict[str, Any]:
        state = super().state_dict()
        if self._average_model is None or self._batches is None:
            return state
        kept = {"weights": self._recipe.to_dict(), "kept": self._merged.kept()}
        return {**state, **kept, **self._batches.state_dict()}

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        self._stored = state_dict if "kept" in state_dict else {}

    @property
    def _merged(self) -> MergedModel:
        assert isinstance(self._average_model, MergedModel)
        return self._average_model

    def _check_weights(self, stored: Mapping[str, Any] | None) -> None:
        """Refuse to continue a merge with other weights: running averages keep other checkpoints.

        Args:
            stored: Of the merge in the checkpoint; None where an earlier version wrote it.

        Raises:
            ConfigError: If they are others.
        """
        own = self._recipe.to_dict()
        if stored not in (None, own):
            expected = f"{quoted(stored)} as in the run that is resumed"
            raise ConfigError.of("weights", own, expected)

    def _follow(self, module: LightningModule) -> None:
        """Have the weights in training stand for the merge before the first checkpoint."""
        if self._average_model is not None and not self._swapped:
            self._merged.follow(module)

    @override
    def _swap_models(self, pl_module: LightningModule) -> None:
        super()._swap_models(pl_module)
        self._swapped = not self._swapped


def _known(device: torch.device | str | int | None) -> torch.device | None:
    """Return a device; whether there is one is seen when the fit begins.

    Raises:
        ConfigError: If no device is called so.
    """
    try:
        return None if device is None else torch.device(device)
    except (RuntimeError, TypeError):
        raise ConfigError.of("device", device, "a device of torch, such as 'cpu'") from None

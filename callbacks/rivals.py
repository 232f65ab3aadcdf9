"""The callback that trains rivals beside a Lightning run."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from torch import Tensor
from typing_extensions import override

from autolr.callbacks.learner import LightningLearner
from autolr.callbacks.namespaces import LightningModule, Trainer
from autolr.callbacks.rate_host import RateHost
from autolr.callbacks.run_length import RunLength
from autolr.runtime.hook_changes import HookChanges
from autolr.runtime.step_context import StepContext
from autolr.schedules import Schedule

if TYPE_CHECKING:
    from autolr.runtime.checkpoint import ResumableRivals


class RivalsCallback(RateHost):
    """Passes each live step to `Rivals`; a subclass decides what is searched."""

    _rivals: "ResumableRivals | None" = None
    _length: RunLength | None = None
    _learner: LightningLearner | None = None
    _before: StepContext | None = None
    _steps_before = 0
    _stepped = False
    _hooks: HookChanges | None = None  # of the module, since the last batch

    @override
    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        self._steps_before = trainer.global_step
        if self._rivals is None or self._learner is None:
            return
        self._before = None
        with self._rivals.surviving():
            self._repeat_hooks(self._rivals, self._learner)
            if self._rivals.wants_batch or self._learner.has_batch_end:
                self._learner.set_batch(batch, batch_idx)
            self._before = self._rivals.capture()

    @override
    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Tensor | Mapping[str, Any] | None,
        batch: Any,
        batch_idx: int,
    ) -> None:
        self._stepped = trainer.global_step > self._steps_before
        if self._rivals is None or self._learner is None:
            return
        self._learner.set_outputs(outputs, stepped=self._stepped)
        replaced = self._rivals.replaced
        self._rivals.stop_requested = trainer.should_stop
        loss = loss_of(outputs, trainer.accumulate_grad_batches)
        self._rivals.repeat_step(loss, self._before, stepped=self._stepped)
        if self._rivals.replaced > replaced:
            self._replaced(trainer, pl_module)

    @override
    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._watch_hooks()

    @override
    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._watch_hooks()

    @override
    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        super().on_exception(trainer, pl_module, exception)
        self._release()

    @override
    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().on_train_end(trainer, pl_module)
        self._release()

    def _repeat_hooks(self, rivals: "ResumableRivals", learner: LightningLearner) -> None:
        """Take rivals through the module's hooks since the last step of the live run."""
        rivals.look(pending=learner.has_batch_end)
        if learner.has_batch_end:
            rivals.for_each_rival(learner.end_batch)
        if self._hooks is not None:  # the module's own hooks at the epoch's start have run by now
            hooks, self._hooks = self._hooks, None
            hooks.take()
            rivals.for_each_rival(hooks.apply)

    def _planned_steps(self, trainer: Trainer, who: str) -> int:
        """Return the steps of a run that is about to train; see `RunLength`."""
        self._length = RunLength(trainer, who)
        return self._length.steps

    def _renewed_length(self, trainer: Trainer, batch_idx: int) -> int:
        """Return the steps of the run, planned anew with the first batch of an epoch."""
        assert self._length is not None
        if batch_idx == 0 and self._length.renew(trainer, self._schedules()):
            self._lay_out(self._length.steps)
        return self._length.steps

    def _lay_out(self, steps: int) -> None:
        """Lay the schedules of a search under way out over another length of the run."""
        if self._rivals is not None:
            self._rivals.plan(steps)

    def _schedules(self) -> list[Schedule]:
        """Return the schedules of a search under way."""
        if self._rivals is None:
            return []
        candidates = (self._rivals.live, *self._rivals.search.candidates)
        return [candidate.schedule for candidate in candidates]

    def _replaced(self, trainer: Trainer, module: LightningModule) -> None:
        """Called when a rival's state has replaced that of the live run."""

    def _watch_hooks(self) -> None:
        """Begin to watch what the module does until the next batch, after its hooks of the last."""
        if self._rivals is not None and self._hooks is None:
            self._hooks = self._rivals.watch_hooks()

    def _release(self) -> None:
        self._detach()
        self._learner = self._rivals = self._hooks = None


def loss_of(outputs: Tensor | Mapping[str, Any] | None, accumulated: int = 1) -> Tensor | None:
    """Return the loss among what a training step returned.

    Args:
        outputs: What Lightning passes on: it has divided the loss by ``accumulated``.
        accumulated: The number of batches over which gradients are accumulated.
    """
    loss = outputs.get("loss") if isinstance(outputs, Mapping) else outputs
    return loss * accumulated if isinstance(loss, Tensor) else None

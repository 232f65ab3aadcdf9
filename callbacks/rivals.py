"""The callback that trains rivals beside a Lightning run."""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from torch import Tensor
from typing_extensions import override

from autolr.callbacks.edges import First, Last
from autolr.callbacks.namespaces import LightningModule, Trainer
from autolr.callbacks.outputs import loss_of
from autolr.callbacks.rate_host import RateHost
from autolr.callbacks.run_length import RunLength
from autolr.callbacks.step_count import StepCount, has_begun
from autolr.runtime.hook_changes import HookChanges
from autolr.runtime.set_values import Values, put
from autolr.runtime.step_context import StepContext
from autolr.schedules import Schedule

if TYPE_CHECKING:
    from autolr.callbacks.learner import LightningLearner
    from autolr.runtime.checkpoint import ResumableRivals


class RivalsCallback(RateHost):
    """Passes each live step to `Rivals`; a subclass decides what is searched."""

    _rivals: "ResumableRivals | None" = None
    _length: RunLength | None = None
    _learner: "LightningLearner | None" = None
    _before: StepContext | None = None
    _stepped = False
    _stored_count: Mapping[str, int] | None = None  # of a checkpoint
    _hooks: HookChanges | None = None  # of the module, since the last batch

    @override
    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if self._rivals is not None and self._learner is not None:
            self._begin_batch(self._rivals, self._learner, batch, batch_idx)
        self._run_length.count.begin_batch()

    def _begin_batch(
        self, rivals: "ResumableRivals", learner: "LightningLearner", batch: Any, batch_idx: int
    ) -> None:
        self._before = None
        learner.settle()
        with rivals.surviving():
            rivals.set_values.begin_step()
            self._repeat_hooks(rivals, learner)
            if rivals.wants_batch or learner.has_batch_end:
                learner.set_batch(batch, batch_idx)
            self._before = rivals.capture()
            if batch_idx == 0:
                rivals.set_values.renew()
            rivals.set_values.begin()

    @override
    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Tensor | Mapping[str, Any] | None,
        batch: Any,
        batch_idx: int,
    ) -> None:
        self._stepped = self._run_length.count.end_batch()
        if self._rivals is None or self._learner is None:
            return
        self._learner.set_outputs(outputs, stepped=self._stepped)
        with self._rivals.surviving(stepped=self._stepped):
            self._rivals.set_values.end_step()
        replaced = self._rivals.replaced
        self._rivals.stop_requested = trainer.should_stop
        loss = loss_of(outputs, trainer.accumulate_grad_batches)
        self._rivals.repeat_step(loss, self._before, stepped=self._stepped)
        self._rivals.set_values.repeated()
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

    def _repeat_hooks(self, rivals: "ResumableRivals", learner: "LightningLearner") -> None:
        """Take rivals through the module's hooks since the last step of the live run."""
        rivals.look(pending=learner.has_batch_end)
        if learner.has_batch_end:
            rivals.for_each_rival(partial(_end_batch, learner, rivals.set_values.before_hook))
        if self._hooks is not None:  # the module's own hooks at the epoch's start have run by now
            hooks, self._hooks = self._hooks, None
            hooks.take()
            rivals.for_each_rival(hooks.apply)

    def _planned_steps(self, trainer: Trainer, who: str) -> int:
        """Return the steps of a run that is about to train; see `RunLength`."""
        stored = self._stored_count if has_begun(trainer) else None
        count = StepCount(trainer, stored)
        self._length = RunLength(trainer, who, count)
        return self._length.steps

    def _renewed_length(self, trainer: Trainer, batch_idx: int) -> int:
        """Return the steps of the run, planned anew as an epoch begins; see `RunLength`."""
        length = self._run_length
        if batch_idx == 0:
            length.count.begin_epoch()
        if length.renew(trainer, batch_idx, self._schedules()):
            self._lay_out(length.steps)
        return length.steps

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

    @property
    def _run_length(self) -> RunLength:
        assert self._length is not None
        return self._length

    def _watch_callbacks(self, trainer: Trainer, learner: "LightningLearner") -> None:
        """Watch from now on what other callbacks set on the module while there is a search."""
        first = First(lambda: self._rivals)
        last = Last(lambda: self._rivals, has_batch_end=learner.has_batch_end)
        given: Any = trainer
        given.callbacks = [first, *given.callbacks, last]  # Lightning iterates over the old list

        def take_away() -> None:
            given.callbacks = [one for one in given.callbacks if one not in (first, last)]

        self._leave.callback(take_away)

    def _release(self) -> None:
        self._detach()
        if self._length is not None:
            self._stored_count = self._length.count.state_dict()  # a checkpoint may be written
            self._length.count.close()
        self._learner = self._rivals = self._hooks = None


def _end_batch(learner: "LightningLearner", values: Values) -> None:
    put(values)
    learner.end_batch()

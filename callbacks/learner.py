"""A Lightning run as a `Learner`: the present step repeated on another state."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

from torch import Tensor

from autolr.callbacks.automatic_steps import AutomaticSteps
from autolr.callbacks.batches import own_copy, storable
from autolr.callbacks.manual_steps import ManualSteps
from autolr.callbacks.namespaces import (
    LightningModule,
    Trainer,
    is_overridden,
)
from autolr.callbacks.quiet import drop, quiet
from autolr.callbacks.run_parts import kept_by_run
from autolr.callbacks.sharded import settle
from autolr.callbacks.validation import ValidationPass
from autolr.online.monitor import Monitor
from autolr.runtime.batch_norm import batch_norms
from autolr.runtime.compiled import cuda_graphs_are_on
from autolr.runtime.ddp_wrapper import DDPWrapper
from autolr.runtime.evaluation import mean
from autolr.runtime.joint_optimizer import JointOptimizer
from autolr.runtime.learner import RECENT
from autolr.runtime.plain import unpacked
from autolr.runtime.rates import Rates
from autolr.runtime.score import Score
from autolr.runtime.tensor_memory import copied

if TYPE_CHECKING:
    from torch.optim import Optimizer

    from autolr.runtime.collectives import Ranks
    from autolr.runtime.stateful import Stateful


class LightningLearner:
    """Repeats the Trainer's last step on another state; nothing of that reaches the Trainer.

    Backward, gradient clipping and the optimizer's step use the Trainer's strategy and precision
    plugin, with the module's own hooks; no callback is called, and what is logged is dropped. With
    manual optimization the module's ``training_step`` does all that.

    Args:
        trainer: A trainer that has begun to fit.
        module: Its module.
        validation: Its validation, by the processes that train the run together.
        monitor: What scores a state: a metric that validation logs, or the training loss.

    Attributes:
        has_batch_end: Whether the module has an ``on_train_batch_end`` that rivals have to go
            through too.
    """

    def __init__(
        self,
        trainer: Trainer,
        module: LightningModule,
        validation: ValidationPass,
        monitor: Monitor,
    ) -> None:
        self._trainer = trainer
        self.settle()
        self.model = module
        self.ranks: Ranks = validation.ranks
        self.optimizer: Optimizer = JointOptimizer.of(trainer.optimizers)
        self.extras: Sequence[Stateful] = extras_of(trainer)
        self.validation = validation
        self.has_batch_end = is_overridden("on_train_batch_end", module)
        self._steps = steps_of(trainer, module, self.ranks)
        self._wrapper = DDPWrapper(trainer.strategy.model)
        self.monitor = monitor
        self._batch: Any = None
        self._batch_idx = 0
        count = RECENT if batch_norms(module) or not self.validation.exists else 0
        self._recent = deque[tuple[Any, int]](maxlen=count)
        self._stepped = False
        self._outputs: Tensor | Mapping[str, Any] | None = None

    def settle(self) -> None:
        """Have every weight in place as the optimizer has it, after code of the user's."""
        settle(self._trainer)

    def set_batch(self, batch: Any, batch_idx: int) -> None:
        """Set the batch on which the live run is about to train; a copy is kept.

        A hook may change the batch itself.

        Args:
            batch: The batch.
            batch_idx: Its index in the epoch.
        """
        self._batch, self._batch_idx, self._outputs = own_copy(batch), batch_idx, None
        self._stepped = False
        self._recent.append((self._batch, batch_idx))
        self._wrapper.remember()
        self._steps.remember()

    @contextmanager
    def first_batch(self, batch: Any, batch_idx: int) -> Iterator[None]:
        """Set the first batch of the run for a block, before the live run trains on it.

        Args:
            batch: The batch.
            batch_idx: Its index in the epoch.
        """
        self.set_batch(batch, batch_idx)
        yield
        self._recent.clear()

    def set_outputs(self, outputs: Tensor | Mapping[str, Any] | None, *, stepped: bool) -> None:
        """Set the outcome of the live run's step.

        Args:
            outputs: What its training step returned.
            stepped: Whether an optimizer stepped.
        """
        if isinstance(outputs, dict) and cuda_graphs_are_on():  # rivals overwrite what they return
            outputs.update(copied(outputs))
        self.settle()
        self._outputs, self._stepped = outputs, stepped
        self._wrapper.release_gradients()

    def state_dict(self) -> dict[str, Any]:
        """Return the last batches, where they are plain, and small enough for a checkpoint."""
        recent = [list(seen) for seen in self._recent]
        ended = [self._batch, self._batch_idx, self._outputs] if self.has_batch_end else None
        return {"recent": storable(recent), "ended": storable(ended)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take on what `state_dict` returned; without batches they are those to come."""
        state = unpacked(dict(state), self.model.device)
        self._recent.extend((batch, batch_idx) for batch, batch_idx in state["recent"] or [])
        if state["ended"] is not None:
            self._batch, self._batch_idx, self._outputs = state["ended"]

    def end_batch(self) -> None:
        """Call the module's ``on_train_batch_end`` for the present batch, on the state in place.

        It is due when the live run's own has been called: as the next batch begins.
        """
        if self._outputs is not None:
            with self._unnoticed(), kept_by_run(self._trainer, self.model):
                outputs: Any = self._outputs
                self.model.on_train_batch_end(outputs, own_copy(self._batch), self._batch_idx)

    def train(self) -> Tensor | None:
        """Train the state in place on the present batch; see `Learner`."""
        with self._repeating() as batch:
            return self._steps.train(batch, self._batch_idx, stepped=self._stepped)

    def trial_step(self) -> Tensor | None:
        """Train the state in place on a batch to come; see `Learner`."""
        with self._repeating() as batch:
            return self._steps.trial(batch, self._batch_idx)

    def trial_gradients(self) -> Tensor | None:
        """Compute gradients on a batch to come; see `Learner`."""
        with self._repeating() as batch:
            return self._steps.gradients(batch, self._batch_idx)

    def tried(self, batch_idx: int) -> tuple[Tensor | None, bool, int]:
        """Train the state in place as if the present batch were another one of the epoch.

        Args:
            batch_idx: The index of that.

        Returns:
            As `ManualSteps.counted`.
        """
        assert isinstance(self._steps, ManualSteps)
        with self._repeating() as batch:
            return self._steps.counted(batch, batch_idx)

    def validate(self) -> Score | None:
        """Score the state in place; see `Learner`."""
        if not self.validation.exists:
            return None
        self._wrapper.share_buffers()
        name, score = self.monitor.name, self.monitor.score
        value = self.validation.logged(name)[name]
        return Score(score(value), tuple(map(score, self.validation.by_batch.get(name, ()))))

    def forward(self) -> float:
        """Return the loss on recent batches; see `Learner`."""
        with self._unnoticed():
            return mean(self.ranks.gather(self._recent_loss))

    def _recent_loss(self) -> float:
        losses = [self._steps.loss(own_copy(batch), index) for batch, index in self._recent]
        self.settle()
        return mean([float(loss) for loss in losses if loss is not None])

    @contextmanager
    def _repeating(self) -> Iterator[Any]:
        """Begin the present batch as the live run did, and give a copy of it for the step."""
        begun, beside = self._steps.as_live(stepped=self._stepped), Rates.beside(self.optimizer)
        with self._unnoticed(), beside, begun, self._wrapper.repeated():
            batch = own_copy(self._batch)  # a hook may change it for the step, which may again
            self.model.on_train_batch_start(batch, self._batch_idx)
            try:
                yield batch
            finally:
                self.settle()

    def _unnoticed(self) -> AbstractContextManager[None]:
        """Use the Trainer's own methods, with silent loggers and callbacks."""
        return quiet(self._trainer, self.model, drop)


def steps_of(
    trainer: Trainer, module: LightningModule, ranks: "Ranks"
) -> AutomaticSteps | ManualSteps:
    """Return what trains the state in place as the run does.

    Args:
        trainer: A trainer that has begun to fit.
        module: Its module.
        ranks: The processes that train the run together.
    """
    if module.automatic_optimization:
        return AutomaticSteps(trainer, module, ranks)
    return ManualSteps(trainer, module, ranks, extras_of(trainer))


def extras_of(trainer: Trainer) -> Sequence["Stateful"]:
    """Return the objects beside model and optimizer whose state a step changes.

    Args:
        trainer: A trainer that has begun to fit.
    """
    scaler = getattr(trainer.precision_plugin, "scaler", None)
    return () if scaler is None else (scaler,)

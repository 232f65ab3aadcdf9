"""Steps of a module that runs backward passes and optimizers itself."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from autolr.callbacks.namespaces import LightningModule, Trainer
from autolr.callbacks.outputs import loss_of
from autolr.callbacks.quiet import replaced
from autolr.callbacks.run_parts import RunParts, kept_by_run
from autolr.callbacks.step_count import StepHooks
from autolr.callbacks.training_step import TrainingStep
from autolr.runtime.failures import agreed
from autolr.runtime.tensor_memory import copied

MOST_BATCHES = 64
"""Over which gradients are accumulated, at most, where that is looked for before the run."""

if TYPE_CHECKING:
    from autolr.runtime.collectives import Ranks
    from autolr.runtime.stateful import Stateful


class ManualSteps:
    """Trains the state in place by the module's own ``training_step``, whatever that steps.

    Args:
        trainer: The trainer.
        module: Its module.
        ranks: The processes that train the run together.
        extras: Objects with a state that steps change, such as a gradient scaler.
    """

    def __init__(
        self,
        trainer: Trainer,
        module: LightningModule,
        ranks: "Ranks",
        extras: Sequence["Stateful"],
    ) -> None:
        self._trainer = trainer
        self._module = module
        self._ranks = ranks
        self._extras = extras
        self._training_step = TrainingStep(trainer, module)
        self._before = RunParts.capture(trainer, module)

    def remember(self) -> None:
        """Note what the live run begins a batch with."""
        self._before = RunParts.capture(self._trainer, self._module)

    @contextmanager
    def as_live(self, *, stepped: bool) -> Iterator[None]:
        """Have schedulers, counts and flags in place as the live run began the batch with them.

        Steps in the block are counted as they were in the live run, and are forgotten after it.

        Args:
            stepped: Whether the live run made a step.
        """
        after = RunParts.capture(self._trainer, self._module)
        self._before.restore()
        progress = self._trainer.fit_loop.epoch_loop.manual_optimization.optim_step_progress
        hooks = {"_on_after_step": progress.increment_completed}
        try:
            with ExitStack() as stack:
                for stepper in self._trainer.strategy._lightning_optimizers:
                    stack.enter_context(replaced(stepper, hooks))
                yield
        finally:
            after.restore()

    @torch.enable_grad()
    def train(self, batch: Any, batch_idx: int, *, stepped: bool = True) -> Tensor | None:
        """Train on a batch; return the loss, if the module returns one.

        Args:
            batch: The batch.
            batch_idx: Its index in the epoch.
            stepped: Whether any optimizer steps; the module decides.
        """
        return agreed(self._ranks, lambda: loss_of(self._training_step(batch, batch_idx)))

    def trial(self, batch: Any, batch_idx: int) -> Tensor | None:
        """Train on a batch until an optimizer steps; return the last loss, if there is one.

        Args:
            batch: The batch; it is also taken for those that follow.
            batch_idx: Its index in the epoch.
        """
        loss = None
        for index in range(batch_idx, batch_idx + MOST_BATCHES):
            loss, stepped, _ = self.counted(batch, index)
            if stepped:
                break
        return loss

    def counted(self, batch: Any, batch_idx: int) -> tuple[Tensor | None, bool, int]:
        """Train on a batch; return the loss, whether it was a step, and the Trainer's count.

        Args:
            batch: The batch.
            batch_idx: Its index in the epoch.
        """
        before, hooks = self._trainer.global_step, StepHooks(self._trainer.optimizers)
        try:
            loss = self.train(batch, batch_idx)
        finally:
            hooks.close()
        counted = self._trainer.global_step - before
        return loss, counted > 0 or hooks.count > 0, counted

    def gradients(self, batch: Any, batch_idx: int) -> Tensor | None:
        """Train on a batch: the module alone could leave its steps out.

        Args:
            batch: The batch.
            batch_idx: Its index in the epoch.
        """
        return self.train(batch, batch_idx)

    def loss(self, batch: Any, batch_idx: int) -> Tensor | None:
        """Return the loss that the module returns, with no step made and gradients as they were.

        Args:
            batch: The batch.
            batch_idx: Its index in the epoch.
        """
        kept = kept_by_run(self._trainer, self._module)
        with kept, self.as_live(stepped=False), self._unstepped(), _same_gradients(self._module):
            return self.train(batch, batch_idx)

    @contextmanager
    def _unstepped(self) -> Iterator[None]:
        """Have steps of the optimizers run their closures alone for a block."""
        states = [copied(extra.state_dict()) for extra in self._extras]
        with ExitStack() as stack, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of schedulers: "optimizer.step() has been overridden"
            for optimizer in self._trainer.optimizers:
                stack.enter_context(replaced(optimizer, {"step": _closure_alone}))
            try:
                yield
            finally:
                for extra, state in zip(self._extras, states, strict=True):
                    extra.load_state_dict(state)


def _closure_alone(closure: Callable[[], Any] | None = None, **_: Any) -> Any:
    return None if closure is None else closure()


@contextmanager
def _same_gradients(module: nn.Module) -> Iterator[None]:
    before = [(parameter, parameter.grad) for parameter in module.parameters()]
    for parameter, _ in before:
        parameter.grad = None
    try:
        yield
    finally:
        for parameter, gradient in before:
            parameter.grad = gradient

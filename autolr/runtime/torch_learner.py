"""A plain PyTorch run as a `Learner`."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from autolr.errors import ConfigError
from autolr.online.monitor import Monitor
from autolr.runtime.batch_norm import batch_norms
from autolr.runtime.collectives import Alone, Ranks
from autolr.runtime.evaluation import evaluating, mean
from autolr.runtime.learner import RECENT
from autolr.runtime.score import Score
from autolr.runtime.untouched import untouched

if TYPE_CHECKING:
    from autolr.runtime.stateful import Stateful


class TorchLearner:
    """A plain PyTorch run.

    Args:
        model: The model, in training mode.
        optimizer: Its optimizer; its rate only sets the ratios of the groups.
        batches: Batches of any kind; iterated again when they run out.
        loss: ``loss(model, batch)`` returns a scalar tensor.
        validate: ``validate(model)`` returns the score of a model, or its scores by validation
            batch, whose mean counts: their scatter tells differences from noise. Called in
            evaluation mode without gradients. None: the training loss is compared.
        mode: Whether a lower ("min") or a higher ("max") score is better.
        clip: Largest norm of the gradient, None for no clipping.

    Raises:
        ConfigError: If ``mode`` is neither, or ``batches`` is empty or runs out for good.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: Optimizer,
        batches: Iterable[Any],
        loss: Callable[[nn.Module, Any], Tensor],
        *,
        validate: Callable[[nn.Module], float | Sequence[float] | Tensor] | None = None,
        mode: str = "min",
        clip: float | None = None,
    ) -> None:
        if mode not in ("min", "max"):
            raise ConfigError.of("mode", mode, "'min' or 'max'")
        self.model = model
        self.optimizer = optimizer
        self.extras: Sequence[Stateful] = ()
        self.ranks: Ranks = Alone()
        self._batches = batches
        self._iterator: Iterator[Any] = iter(())  # begun at the first step, as a loop would
        self._loss = loss
        self._validate = validate
        self.monitor = Monitor(mode=mode) if validate else Monitor("training loss")
        self._clip = clip
        self._batch: Any = None
        count = RECENT if validate is None or batch_norms(model) else 0
        self._recent = deque[Any](maxlen=count)

    def next_batch(self) -> None:
        """Draw a batch; see `DrivenLearner`."""
        try:
            self._batch = next(self._iterator)
        except StopIteration:
            self._iterator = iter(self._batches)
            try:
                self._batch = next(self._iterator)
            except StopIteration:
                expected = "a collection that can be iterated again, with at least one batch"
                raise ConfigError.of("batches", self._batches, expected) from None
        self._recent.append(self._batch)

    def train(self) -> Tensor:
        """Make one optimizer step on the present batch."""

        def closure() -> Any:
            loss = self.trial_gradients()
            if self._clip is not None:
                torch.nn.utils.clip_grad_norm_(self.model.parameters(), self._clip)
            return loss

        loss: Any = self.optimizer.step(closure)
        assert isinstance(loss, Tensor)
        return loss.detach().clone()  # CUDA graphs overwrite what they return

    def trial_step(self) -> Tensor:
        """Make one optimizer step; see `Learner`."""
        return self.train()

    def trial_gradients(self) -> Tensor:
        """Compute gradients; see `Learner`."""
        self.optimizer.zero_grad(set_to_none=True)
        loss = self._loss(self.model, self._batch)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    def validate(self) -> Score | None:
        """Score the state in place; see `Learner`."""
        if self._validate is None:
            return None
        with untouched(self.model), evaluating(self.model), torch.no_grad():
            measured = self._validate(self.model)
        if isinstance(measured, Tensor):
            measured = measured.tolist()
        if not isinstance(measured, Sequence):
            return Score(self.monitor.score(float(measured)))
        by_batch = tuple(self.monitor.score(float(value)) for value in measured)
        return Score(mean(by_batch), by_batch)

    @torch.no_grad()
    def forward(self) -> float:
        """Return the loss on recent batches; see `Learner`."""
        return mean([float(self._loss(self.model, batch)) for batch in self._recent])

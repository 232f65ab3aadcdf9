"""A plain PyTorch run as a `Learner`."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from autolr.errors import ConfigError
from autolr.runtime.attribute_access import has_method
from autolr.runtime.batch_norm import batch_norms
from autolr.runtime.evaluation import mean
from autolr.runtime.learner import RECENT
from autolr.runtime.plain_learner import PlainLearner
from autolr.runtime.returned_values import checked_loss
from autolr.runtime.user_functions import check_loss, first_call

_BATCHES = "a collection that can be iterated again, with at least one batch"


class TorchLearner(PlainLearner):
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
        ConfigError: If ``mode`` is neither, ``loss`` or ``validate`` is no function of those
            arguments, or ``batches`` is empty, no collection, or runs out for good.
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
        super().__init__(model, optimizer, validate, mode)
        check_loss(loss)
        _check_batches(batches)
        self._batches = batches
        self._iterator: Iterator[Any] = iter(())  # begun at the first step, as a loop would
        self._loss = loss
        self._called = False
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
                raise ConfigError.of("batches", self._batches, _BATCHES) from None
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
        loss = checked_loss(self._loss_of_batch(), "loss(model, batch)")
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    @torch.no_grad()
    def forward(self) -> float:
        """Return the loss on recent batches; see `Learner`."""
        return mean([float(self._loss(self.model, batch)) for batch in self._recent])

    def _loss_of_batch(self) -> object:
        if self._called:
            return self._loss(self.model, self._batch)
        with first_call("loss", "loss(model, batch)"):
            loss = self._loss(self.model, self._batch)
        self._called = True
        return loss


def _check_batches(batches: object) -> None:
    """Refuse what holds no batches; an iterator shows only later that it runs out.

    Raises:
        ConfigError: If so.
    """
    iterable = has_method(batches, "__iter__") or has_method(batches, "__getitem__")
    if not iterable or isinstance(batches, str | bytes | Mapping):
        raise ConfigError.of("batches", batches, _BATCHES)

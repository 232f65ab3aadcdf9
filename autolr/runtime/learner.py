"""What a search needs of a training run, and its adapter for plain PyTorch."""

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from autolr.errors import ConfigError
from autolr.online.monitor import Monitor
from autolr.runtime.average import batch_norms
from autolr.runtime.collectives import Alone, Ranks
from autolr.runtime.snapshot import Stateful

RECENT = 8
"""How many of the last batches a learner keeps, where it keeps any."""


class Learner(Protocol):
    """A model that can repeat its present step and be scored."""

    @property
    def model(self) -> nn.Module:
        """The model in training."""

    @property
    def optimizer(self) -> Optimizer:
        """Its only optimizer."""

    @property
    def extras(self) -> Sequence[Stateful]:
        """Other objects with a state in training, such as a gradient scaler."""

    @property
    def ranks(self) -> Ranks:
        """The processes that train the run together, each on batches of its own.

        `train` averages gradients over them, `validate` and `forward` what they return.
        """

    @property
    def monitor(self) -> Monitor:
        """The metric that `validate` returns, or without validation data `forward`."""

    def train(self) -> Tensor | None:
        """Train the state in place on the present batch; return the loss, if there is one."""

    def trial_step(self) -> Tensor | None:
        """Train as `train` does, on a batch on which the live run has yet to make its step.

        That is an optimizer step also where the run itself accumulates gradients.
        """

    def validate(self) -> float | None:
        """Return the validation score of the state in place, lower is better.

        The state, the generators and the data order are left as they were. None if the run has
        no validation data.
        """

    def forward(self) -> float:
        """Return the mean training loss of the state in place on the last batches, 8 at most.

        No gradients are computed. A learner with validation data and without batch norms need not
        keep batches: NaN then.
        """


class DrivenLearner(Learner, Protocol):
    """A learner whose batches are drawn by the search.

    Attributes:
        optimizer: A search among rules replaces it.
    """

    optimizer: Optimizer

    def next_batch(self) -> None:
        """Draw the batch that `train` will use until the next call."""


class TorchLearner:
    """A plain PyTorch run.

    Args:
        model: The model, in training mode.
        optimizer: Its optimizer; its rate only sets the ratios of the groups.
        batches: Batches of any kind; iterated again when they run out.
        loss: ``loss(model, batch)`` returns a scalar tensor.
        validate: ``validate(model)`` returns the score of a model; called in evaluation mode
            without gradients. None: the training loss is compared.
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
        validate: Callable[[nn.Module], float] | None = None,
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
            self.optimizer.zero_grad(set_to_none=True)
            loss = self._loss(self.model, self._batch)
            loss.backward()  # type: ignore[no-untyped-call]
            if self._clip is not None:
                torch.nn.utils.clip_grad_norm_(self.model.parameters(), self._clip)
            return loss

        loss: Any = self.optimizer.step(closure)
        assert isinstance(loss, Tensor)
        return loss.detach()

    def trial_step(self) -> Tensor:
        """Make one optimizer step; see `Learner`."""
        return self.train()

    def validate(self) -> float | None:
        """Score the state in place; see `Learner`."""
        if self._validate is None:
            return None
        with evaluating(self.model), torch.no_grad():
            return self.monitor.score(float(self._validate(self.model)))

    @torch.no_grad()
    def forward(self) -> float:
        """Return the loss on recent batches; see `Learner`."""
        return mean([float(self._loss(self.model, batch)) for batch in self._recent])


def mean(losses: Sequence[float]) -> float:
    """Return the mean; NaN of none."""
    return sum(losses) / len(losses) if losses else math.nan


class evaluating:
    """Put a model into evaluation mode for a block, and each module's mode back after it."""

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._modes: list[tuple[nn.Module, bool]] = []

    def __enter__(self) -> None:
        self._modes = [(module, module.training) for module in self._model.modules()]
        self._model.eval()

    def __exit__(self, *_: object) -> None:
        for module, training in self._modes:
            module.training = training

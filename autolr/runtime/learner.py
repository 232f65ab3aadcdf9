"""What a search needs of a training run."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from torch import Tensor, nn
from torch.optim import Optimizer

from autolr.online.monitor import Monitor
from autolr.runtime.collectives import Ranks
from autolr.runtime.score import Score
from autolr.runtime.stateful import Stateful

RECENT = 8
"""How many of the last batches a learner keeps, where it keeps any.

Statistics of batch norm are taken from them, and the training loss where there is no validation: a
choice between noise and forward passes, which a score costs as many of.
"""


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

    def trial_gradients(self) -> Tensor | None:
        """Compute the gradients of the state in place on that batch; return the loss."""

    def validate(self) -> Score | None:
        """Return the validation score of the state in place.

        The state, the generators and the data order are left as they were. None if the run has
        no validation data.
        """

    def forward(self) -> float:
        """Return the mean training loss of the state in place on the last batches, 8 at most.

        No gradients are computed. A learner with validation data and without batch norms need not
        keep batches: NaN then.
        """


class LoopLearner(Learner, Protocol):
    """A learner in a plain training loop."""

    def validated(self) -> AbstractContextManager[None]:
        """Score the untrained state once for the block, in which `validate` returns that score.

        Raises:
            ConfigError: If the user's function returns something that is no score.
        """


class DrivenLearner(LoopLearner, Protocol):
    """A learner whose batches are drawn by the search.

    Attributes:
        optimizer: A search among rules replaces it.
    """

    optimizer: Optimizer

    def next_batch(self) -> None:
        """Draw the batch that `train` will use until the next call."""

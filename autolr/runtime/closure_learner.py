"""A run in a loop of the user's as a `Learner`: the present step is a function of theirs."""

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn

from autolr.errors import UserCodeError
from autolr.runtime.batch_norm import batch_norms
from autolr.runtime.bound_closure import bound, captured
from autolr.runtime.collectives import Ranks
from autolr.runtime.ddp_wrapper import DDPWrapper
from autolr.runtime.evaluation import mean
from autolr.runtime.failures import agreed
from autolr.runtime.learner import RECENT
from autolr.runtime.plain import device_of, is_plain, packed, size, unpacked
from autolr.runtime.plain_learner import PlainLearner
from autolr.runtime.step_count import StepCount
from autolr.runtime.user_steps import Function, UserSteps
from autolr.runtime.wrapped import Wrapped

_STORED_BYTES = 64 * 2**20  # of the last batches in a checkpoint, at most: a choice


class ClosureLearner(PlainLearner):
    """A run in a loop of the user's, who gives the present step as a function.

    Args:
        wrapped: The model and the optimizer.
        scaler: A `torch.amp.GradScaler` of the user's.
        validate: See `PlainLearner`.
        mode: See `PlainLearner`.
        ranks: See `PlainLearner`.

    Raises:
        ConfigError: See `PlainLearner`.
    """

    def __init__(
        self,
        wrapped: Wrapped,
        scaler: Any,
        validate: Callable[[nn.Module], Any] | None,
        mode: str,
        ranks: Ranks,
    ) -> None:
        super().__init__(wrapped.model, wrapped.optimizer, validate, mode, ranks)
        self._given = wrapped.given_model
        self.extras = wrapped.scalers if scaler is None else (*wrapped.scalers, scaler)
        self.count = StepCount(wrapped.optimizer, self.extras)
        self._wrapper = DDPWrapper(wrapped.ddp)
        self._steps: UserSteps
        self._function: Function
        self._stepped = False
        needs = validate is None or batch_norms(self.model)
        self._recent = deque[tuple[UserSteps, Function]](maxlen=RECENT if needs else 0)
        self._stored: list[dict[str, Any]] = []  # what the last functions referred to

    def set_step(self, steps: UserSteps, function: Function, *, keep: bool) -> None:
        """Set the step that the live run is about to make.

        Args:
            steps: How it is made.
            function: The user's.
            keep: Whether its batch may be needed again.
        """
        self._steps, self._function = steps, function
        self._wrapper.remember()
        self._recent.extend((steps, bound(function, values)) for values in self._stored)
        self._stored = []
        if keep and self._recent.maxlen:
            self._recent.append((steps, bound(function, captured(function))))

    def forget_step(self) -> None:
        """Forget the batch of a step that was not made."""
        self._recent.clear()

    def live_step(self) -> tuple[Tensor, bool]:
        """Make the step of the live run; return its loss, and whether the optimizer stepped."""
        self.count.begin()
        try:
            loss = self._steps.make(self._function)
        finally:
            self._wrapper.release_gradients()
        self._stepped = self.count.stepped
        return loss, self._stepped

    def train(self) -> Tensor:
        """Make the live run's step with the state in place; see `Learner`.

        Raises:
            UserCodeError: If the optimizer stepped, and did not in the live run, or the other way
                round.
        """
        self.count.begin()
        loss = self.trial_step()
        if self.count.stepped != self._stepped:
            raise UserCodeError("the step is another one when it is repeated")
        return loss

    def trial_step(self) -> Tensor:
        """Make the step before the live run does; see `Learner`."""
        with self._wrapper.repeated():
            return self._steps.make(self._forward)

    def trial_gradients(self) -> Tensor:
        """Compute gradients; see `Learner`."""
        with self._wrapper.repeated():
            return self._steps.gradients(self._forward)

    def forward(self) -> float:
        """Return the loss on recent batches; see `Learner`."""
        with self._wrapper.repeated():
            return mean(self.ranks.gather(self._recent_loss))

    def state_dict(self) -> dict[str, Any]:
        """Return the last batches, where they are plain, and small enough for a checkpoint."""
        recent = [_plain(captured(function)) for _, function in self._recent]
        return {"recent": packed(recent) if size(recent) <= _STORED_BYTES else []}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take on what `state_dict` returned; without batches they are those to come."""
        self._stored = unpacked(list(state["recent"]), device_of(self.model))

    def _recent_loss(self) -> float:
        return mean([steps.loss(function) for steps, function in self._recent])

    def _forward(self) -> Any:
        """Call the user's function; where it fails on one rank, it does on all."""
        if self._steps.only_forward:
            return agreed(self.ranks, self._function)
        return self._function()


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that a checkpoint can hold, and that are no weights."""
    plain = {name: value for name, value in values.items() if is_plain(value)}
    return {name: value for name, value in plain.items() if not _has_weights(value)}


def _has_weights(value: Any) -> bool:
    if isinstance(value, Tensor):
        return value.requires_grad
    items = value.values() if isinstance(value, dict) else value
    return any(map(_has_weights, items)) if isinstance(value, dict | list | tuple) else False

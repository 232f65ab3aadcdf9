"""Functions of the user's that make a whole training step."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import torch
from torch import Tensor

from autolr.errors import ConfigError
from autolr.runtime.applied_rate import own_rate
from autolr.runtime.failures import forget_step
from autolr.runtime.held_step import holding_step
from autolr.runtime.returned_values import one_number
from autolr.runtime.structure import all_parameters
from autolr.runtime.user_steps import Function
from autolr.runtime.wrapped import Wrapped


class WholeSteps:
    """Steps of functions that do all of it: gradients to zero, both passes, the optimizer's step.

    Args:
        wrapped: The model and the optimizer.
        scalers: The gradient scalers.
    """

    only_forward: ClassVar[bool] = False

    def __init__(self, wrapped: Wrapped, scalers: Sequence[Any]) -> None:
        self._model, self._optimizer = wrapped.model, wrapped.optimizer
        self._scalers = scalers
        self._tried: list[tuple[bool, list[float]]] = []

    def make(self, function: Function) -> Tensor:
        """Make a step; see `UserSteps`."""
        return one_number(function(), "train_step")

    def gradients(self, function: Function) -> Tensor:
        """Compute gradients; see `UserSteps`.

        Raises:
            ConfigError: If two calls in a row differ in whether they step, or in the rate that
                they write: what counts the calls cannot be repeated for rivals.
        """
        with holding_step(self._optimizer) as held:
            loss = one_number(function(), "train_step")
        held.put_back()
        rates = [float(own_rate(group)) for group in self._optimizer.param_groups]
        self._tried = [*self._tried[-1:], (held.made, rates)]
        (first, before), (last, after) = self._tried[0], self._tried[-1]
        if first != last:
            raise ConfigError(
                "train_step must make the same step each time it is called, as it is repeated for "
                "each rival: leave counters, and Accelerate's accumulate(), around tuner.repeat"
            )
        if before != after:
            raise ConfigError(
                "train_step must not step a scheduler, as it is repeated for each rival: step it "
                "after tuner.repeat"
            )
        return loss

    def loss(self, function: Function) -> float:
        """Return the loss; see `UserSteps`."""
        with self._leaving_gradients(), torch.enable_grad(), holding_step(self._optimizer):
            return float(one_number(function(), "train_step"))

    @contextmanager
    def _leaving_gradients(self) -> Iterator[None]:
        """Leave gradients and gradient scalers as they are."""
        parameters = list(all_parameters(self._model, self._optimizer))
        gradients = [parameter.grad for parameter in parameters]
        states = [scaler.state_dict() for scaler in self._scalers]
        for parameter in parameters:
            parameter.grad = None
        try:
            yield
        finally:
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter.grad = gradient
            for scaler, state in zip(self._scalers, states, strict=True):
                scaler.load_state_dict(state)
            forget_step(self._scalers)

"""What functions of the user's return: losses and scores."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from autolr.errors import ConfigError
from autolr.online.monitor import Monitor
from autolr.runtime.attribute_access import has_method
from autolr.runtime.evaluation import mean
from autolr.runtime.score import Score

_SCORE = "a number, or the numbers of the validation batches"


def checked_loss(loss: object, function: str) -> Tensor:
    """Return what a function of the user's returned, if gradients can be computed of it.

    Args:
        loss: What it returned.
        function: Its name, for the message.

    Raises:
        ConfigError: If it is not one number, or does not depend on what is trained.
    """
    if isinstance(loss, Tensor) and loss.numel() == 1 and loss.requires_grad:
        return loss
    expected = "the loss, a tensor of one element that backward() can be called on"
    raise ConfigError(f"{function} must return {expected}, got {_described(loss)}")


def one_number(loss: object, function: str) -> Tensor:
    """Return the loss that a whole step of the user's returned, as a detached tensor.

    Args:
        loss: What it returned.
        function: Its name, for the message.

    Raises:
        ConfigError: If it is not one number.
    """
    if isinstance(loss, Tensor) and loss.numel() == 1:
        return loss.detach()
    if isinstance(loss, int | float) and not isinstance(loss, bool):
        return Tensor([loss]).squeeze()
    expected = "the loss, a number or a tensor of one element"
    raise ConfigError(f"{function} must return {expected}, got {_described(loss)}")


def score_of(measured: object, monitor: Monitor) -> Score:
    """Return the score that a ``validate`` of the user's has measured.

    Args:
        measured: What it returned: a number, or numbers by validation batch, whose mean counts.
        monitor: The metric.

    Raises:
        ConfigError: If it is neither.
    """
    values: Any = measured
    if has_method(values, "tolist"):
        values = values.tolist()
    if (value := _number(values)) is not None:
        return Score(monitor.score(value))
    numbers = list(map(_number, values)) if _is_listed(values) else []
    by_batch = tuple(monitor.score(value) for value in numbers if value is not None)
    if not by_batch or len(by_batch) < len(numbers):
        raise ConfigError(f"validate must return {_SCORE}, got {_described(measured)}")
    return Score(mean(by_batch), by_batch)


def _number(value: Any) -> float | None:
    if isinstance(value, str | bytes) or not has_method(value, "__float__"):
        return None
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError):  # of several elements
        return None


def _is_listed(values: Any) -> bool:
    return isinstance(values, Sequence) and not isinstance(values, str | bytes)


def _described(value: object) -> str:
    """Return what a value is, with what would mend it."""
    if isinstance(value, Tensor):
        if value.numel() != 1:
            return f"a tensor of shape {tuple(value.shape)}: return its mean()"
        return "a tensor without a gradient: detach(), item() or no_grad() cuts it off"
    if value is None:
        return "None: return it"
    return f"{'an' if type(value).__name__[0] in 'aeiou' else 'a'} {type(value).__name__}"

"""Checks of a loop of the user's, before its first step and before each."""

import torch
from torch.nn.parameter import is_lazy

from autolr.errors import ConfigError, UnsupportedError
from autolr.online.settings import SearchSettings
from autolr.rules.fixed import OWN
from autolr.runtime.joint_optimizer import parts_of
from autolr.runtime.user_functions import check_call
from autolr.runtime.wrapped import Wrapped


def check_loop(
    wrapped: Wrapped,
    settings: SearchSettings,
    backward: object,
    scaler: object,
    *,
    validated: bool,
) -> None:
    """Refuse what a search cannot be stepped with.

    Args:
        wrapped: The model and the optimizer.
        settings: Of the search.
        backward: What the user has set.
        scaler: What the user has set.
        validated: Whether the user has given a validation.

    Raises:
        ConfigError: If a setting cannot work.
        UnsupportedError: If rules would race, or the model has no weights yet.
    """
    if set(settings.rules) != {OWN}:
        raise UnsupportedError(
            "candidates: rules race in AutoLR and autolr.search, where the optimizer can be "
            "replaced; leave out 'rule' here"
        )
    if len(parts_of(wrapped.optimizer)) > 1 and not validated:
        raise ConfigError(
            "validate is needed with several optimizers, whose losses may be at odds: "
            "Tuner(..., validate=...), got None"
        )
    if lazy := [name for name, weight in wrapped.model.named_parameters() if is_lazy(weight)]:
        raise UnsupportedError(
            f"the Tuner needs the weights of lazy modules, and {lazy[0]} has none: pass a batch "
            "through the model first"
        )
    if backward is not None:
        check_call("backward", backward, "backward(loss)", 1)
    if scaler is not None and not isinstance(scaler, torch.amp.GradScaler):
        raise ConfigError.of("scaler", type(scaler).__name__, "a torch.amp.GradScaler")


def check_steps_left(made: int, total_steps: int) -> None:
    """Refuse a step after the last one.

    Args:
        made: Optimizer steps so far.
        total_steps: Those of the run.

    Raises:
        ConfigError: If all have been made.
    """
    if made >= total_steps:
        raise ConfigError.of(
            "total_steps", total_steps, "the length of the loop, which takes more steps than that"
        )

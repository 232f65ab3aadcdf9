"""Functions of the user's: how they are called."""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from autolr.errors import ConfigError
from autolr.runtime.failures import in_words


def check_call(name: str, function: object, form: str, count: int) -> None:
    """Refuse what cannot be called with so many arguments.

    Args:
        name: The setting.
        function: Its value.
        form: How it is called.
        count: The number of arguments.

    Raises:
        ConfigError: If it is no function of so many arguments.
    """
    if not callable(function):
        raise ConfigError.of(name, function, f"a function, which is called as {form}")
    try:
        inspect.signature(function).bind(*range(count))
    except TypeError as error:
        raise ConfigError(
            f"{name} must be a function, which is called as {form}: {error}"
        ) from None
    except ValueError:  # a built-in function tells nothing of its arguments
        return


def check_loss(loss: object) -> None:
    """Refuse a ``loss`` that is no function of a model and a batch, such as torch's own losses.

    Raises:
        ConfigError: If so.
    """
    kind = type(loss) if isinstance(loss, nn.Module) else loss
    if getattr(kind, "__module__", "").startswith("torch.nn."):
        name = getattr(kind, "__name__", "it")
        raise ConfigError(
            f"loss is called as loss(model, batch), and torch's {name} gets outputs and targets: "
            f"write loss=lambda model, batch: {_shown(loss, name)}(model(batch[0]), batch[1])"
        )
    check_call("loss", loss, "loss(model, batch)", 2)


def check_validate(validate: object) -> None:
    """Refuse a ``validate`` that is no function of the model; None passes.

    Raises:
        ConfigError: If so.
    """
    if validate is not None:
        check_call("validate", validate, "validate(model)", 1)


@contextmanager
def first_call(name: str, form: str) -> Iterator[None]:
    """Have the errors of wrong arguments in the block say how the function is called.

    Args:
        name: The setting.
        form: How it is called.

    Raises:
        ConfigError: In the place of a TypeError or an AttributeError; that one is its cause.
    """
    try:
        yield
    except (TypeError, AttributeError) as error:
        raise ConfigError(f"{name} is called as {form}, and raised {in_words(error)}") from error


def _shown(loss: object, name: str) -> str:
    return f"{name}()" if isinstance(loss, nn.Module) else name

"""The user's callbacks that log in validation, and their state around a pass."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import nn

from autolr.callbacks.namespaces import Callback, LightningModule, Trainer
from autolr.runtime.attribute_values import IS_PLAIN, copied_value
from autolr.runtime.attributes import Attributes

LOGGING_HOOKS = (  # in which Lightning lets a callback log; it may not in on_validation_end
    "on_validation_start",
    "on_validation_epoch_start",
    "on_validation_batch_start",
    "on_validation_batch_end",
    "on_validation_epoch_end",
)

_BARE = ("Callback", "LambdaCallback")  # of Lightning's: what they do is the user's


def listeners_of(trainer: Trainer) -> tuple[Callback, ...]:
    """Return the callbacks that may log a metric in validation: the user's own, with such a hook.

    Those that Lightning or this package ship, and what derives from them, log none.

    Args:
        trainer: The trainer.
    """
    callbacks = trainer.callbacks  # type: ignore[attr-defined]
    return tuple(one for one in callbacks if _is_own(one) and _may_log(one))


@contextmanager
def restored(callbacks: Sequence[Callback], module: LightningModule) -> Iterator[None]:
    """Restore the plain attributes of callbacks after a block, and those of their metrics.

    Args:
        callbacks: The callbacks.
        module: The module in training, which they may refer to.
    """
    with ExitStack() as stack:
        for callback in callbacks:
            stack.callback(_put_back, callback, dict(vars(callback)))
            copies: dict[int, Any] = {id(module): module}
            for name, value in list(vars(callback).items()):
                if IS_PLAIN[type(value)]:
                    vars(callback)[name] = copied_value(value, copies)
                for part in _modules_in(value):
                    if part is not module:
                        attributes = Attributes(part)
                        attributes.exchange()
                        stack.callback(attributes.exchange)
        yield


def _put_back(callback: Callback, values: dict[str, Any]) -> None:
    vars(callback).clear()
    vars(callback).update(values)


def _modules_in(value: Any) -> list[nn.Module]:
    if isinstance(value, dict):
        value = list(value.values())
    items = value if isinstance(value, list | tuple) else [value]
    return [item for item in items if isinstance(item, nn.Module)]


def _is_own(callback: Callback) -> bool:
    kinds = [kind for kind in type(callback).__mro__ if kind.__name__ not in _BARE]
    return not any(_is_shipped(kind) for kind in kinds)


def _is_shipped(kind: type) -> bool:
    package = kind.__module__.partition(".")[0]
    return package in ("autolr", "lightning", "pytorch_lightning")


def _may_log(callback: Callback) -> bool:
    kinds = type(callback).__mro__
    base = next((kind for kind in kinds if kind.__name__ == "Callback"), Callback)
    bare = {hook: getattr(base, hook) for hook in LOGGING_HOOKS}
    return any(  # an object with Callback's hooks need not derive from it
        hook in vars(callback) or getattr(type(callback), hook, idle) is not idle
        for hook, idle in bare.items()
    )

"""Silences callbacks and loggers while a module trains as a rival, or in a `ValidationPass`.

Callbacks and loggers stay where they are, because the module and other threads (that of a progress
bar, for one) read them: a module reads ``trainer.checkpoint_callback`` or ``logger.log_dir``. The
hooks of a step and of validation do nothing. Attributes of a logger keep their values, and calls do
nothing.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from autolr.callbacks.listeners import LOGGING_HOOKS
from autolr.callbacks.namespaces import Callback, LightningModule, ProgressBar, Trainer, either
from autolr.callbacks.silent_loggers import silenced

_STEP_HOOKS = (  # that a step calls on its way through strategy and precision plugin
    "on_before_zero_grad",
    "on_before_backward",
    "on_after_backward",
    "on_before_optimizer_step",
)


@contextmanager
def quiet(
    trainer: Trainer,
    module: LightningModule,
    log: Callable[..., None] | None = None,
    listeners: Sequence[Callback] = (),
) -> Iterator[None]:
    """Send nothing to callbacks and loggers for a block.

    Callbacks, loggers and progress bars get nothing, ``self.print`` prints nothing,
    ``trainer.save_checkpoint`` saves nothing, and ``trainer.should_stop`` is restored after it.

    Args:
        trainer: The trainer.
        module: Its module.
        log: Replaces ``module.log``; None: the module logs as ever.
        listeners: Callbacks that take part in validation, where they may log.
    """
    stops = trainer.should_stop
    modules, bars = either(LightningModule), either(ProgressBar)
    with ExitStack() as stack:
        stack.enter_context(replaced(module, {} if log is None else {"log": log}))
        stack.enter_context(replaced(trainer, {"save_checkpoint": drop}))
        for part in module.modules():
            if isinstance(part, modules):
                stack.enter_context(replaced(part, {"print": drop}))
        for callback in trainer.callbacks:  # type: ignore[attr-defined]
            bar = ("print",) if isinstance(callback, bars) else ()
            heard = () if callback in listeners else LOGGING_HOOKS
            silent = (*_STEP_HOOKS, "on_validation_end", *heard, *bar)
            stack.enter_context(replaced(callback, dict.fromkeys(silent, drop)))
        stack.enter_context(silenced(trainer.loggers))
        try:
            yield
        finally:
            trainer.should_stop = stops


def drop(*_: Any, **__: Any) -> None:
    """Ignore all arguments."""


@contextmanager
def replaced(owner: object, values: dict[str, Any]) -> Iterator[None]:
    """Replace attributes of an object for a block.

    Args:
        owner: Any object with a ``__dict__``; methods and attributes of its class are hidden by
            what stands there, and visible again after the block.
        values: By the name of the attribute. What the block writes to them is lost.
    """
    present = vars(owner)
    before = {name: present[name] for name in values if name in present}
    present.update(values)
    try:
        yield
    finally:
        for name in values:
            del present[name]
        present.update(before)

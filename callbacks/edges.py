"""The first and the last of a Trainer's callbacks: between them run the hooks of all others.

The module's own hooks and its step lie outside. They are repeated with rivals; what the others'
hooks set on the module is put on rivals. Both are among ``trainer.callbacks`` while a fit with a
search is under way.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from typing_extensions import override

from autolr.callbacks.namespaces import Callback, LightningModule

if TYPE_CHECKING:
    from autolr.runtime.rivals import Rivals

_Search: TypeAlias = Callable[[], "Rivals | None"]

LIGHTNINGS = frozenset(vars(LightningModule()))
"""Attributes of a module that are not the user's."""


class First(Callback):
    """Begins to watch what hooks set, behind the step and the module's own hook after it.

    Args:
        search: Returns the search that watches; None where there is none.
    """

    def __init__(self, search: _Search) -> None:
        self._search = search

    @override
    def on_train_batch_start(self, *_: Any) -> None:
        self._begin()

    @override
    def on_train_batch_end(self, *_: Any) -> None:
        self._begin(anew=True)

    @override
    def on_validation_start(self, *_: Any) -> None:
        self._begin()

    @override
    def on_train_epoch_end(self, *_: Any) -> None:
        self._begin()

    def _begin(self, *, anew: bool = False) -> None:
        if (rivals := self._search()) is not None:
            with rivals.surviving():
                rivals.set_values.begin(anew=anew)


class Last(Callback):
    """Ends the watch before the step, and before the module's own hook after it.

    Args:
        search: See `First`.
        has_batch_end: Whether the module has that hook.
    """

    def __init__(self, search: _Search, *, has_batch_end: bool) -> None:
        self._search = search
        self._has_batch_end = has_batch_end

    @override
    def on_train_batch_start(self, *_: Any) -> None:
        if (rivals := self._search()) is not None:
            with rivals.surviving():
                rivals.set_values.begin_step()

    @override
    def on_train_batch_end(self, *_: Any) -> None:
        if self._has_batch_end and (rivals := self._search()) is not None:
            with rivals.surviving():
                rivals.set_values.begin_hook()

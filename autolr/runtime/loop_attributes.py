"""Attributes of a model that a loop of the user's changes between its steps."""

from typing import TYPE_CHECKING, Any

from autolr.runtime.holders import Holder
from autolr.runtime.rivals import Rivals

if TYPE_CHECKING:
    from autolr.runtime.hook_changes import HookChanges

_Place = tuple[str, str]  # a holder, by its name, and a field of it


class LoopAttributes:
    """Has what a loop changes between two steps reach every state of the run.

    A loop may set a weight of the loss for the next step, or keep a history in the model. Rivals
    get the same values before they repeat the step. Where another state replaces that of the run,
    an attribute that no step changes is not put back: a history stays whole, and the same object.
    All this is looked at while there are rivals.
    """

    def __init__(self) -> None:
        self._between: HookChanges | None = None
        self._within: HookChanges | None = None
        self._by_loop: dict[_Place, Holder] = {}
        self._by_steps: set[_Place] = set()

    def begin_step(self, rivals: Rivals) -> None:
        """Take the rivals through what the loop has changed, as the live run begins its step.

        Args:
            rivals: Of the run.
        """
        if self._between is not None:
            self._between.take()
            rivals.for_each_rival(self._between.apply)
            self._by_loop |= self._between.changed
        self._between, self._within = None, rivals.watch_hooks()

    def end_step(self) -> list[tuple[Holder, str, Any]]:
        """Return the loop's own attributes of the live run, which has just made its step."""
        if self._within is not None:
            self._within.take()
            self._by_steps |= self._within.changed.keys()
            self._within = None
        own = [(h, place[1]) for place, h in self._by_loop.items() if place not in self._by_steps]
        return [(holder, field, holder.fields().get(field)) for holder, field in own]

    def put_back(self, own: list[tuple[Holder, str, Any]]) -> None:
        """Put them into the state that has just replaced the run's.

        Args:
            own: What `end_step` returned.
        """
        for holder, field, value in own:
            holder.replace({**holder.fields(), field: value})

    def watch(self, rivals: Rivals) -> None:
        """Watch what the loop changes until the next step.

        Args:
            rivals: Of the run.
        """
        self._between = rivals.watch_hooks()

"""What the processes that train one run together exchange."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

T = TypeVar("T")


class Ranks(Protocol):
    """The processes that train one run; each calls these methods in the same order."""

    @property
    def size(self) -> int:
        """How many there are."""

    @property
    def waits(self) -> bool:
        """Whether they wait for each other within a forward pass, as where weights are sharded."""

    def gather(self, action: Callable[[], T]) -> list[T]:
        """Call ``action`` on every rank and return what each of them returned, by rank.

        An exception on any rank ends the call on all of them, with the same error: a `PartedError`
        where others wait for that rank within ``action``. Calls may be made within ``action``.

        Args:
            action: Returns numbers, strings, None, or lists and dicts of them.
        """

    def any(self, flags: Sequence[bool]) -> list[bool]:
        """Return for each flag whether any rank has raised it."""


@dataclass(frozen=True, slots=True)
class Alone:
    """One process: there are no other ranks, and an exception passes through as it is."""

    size: int = 1
    waits: bool = False

    def gather(self, action: Callable[[], T]) -> list[T]:
        """Return what ``action`` returns; see `Ranks`."""
        return [action()]

    def any(self, flags: Sequence[bool]) -> list[bool]:
        """Return the flags; see `Ranks`."""
        return list(flags)

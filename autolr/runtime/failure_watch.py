"""The failure of another rank, learned of while this one may be waiting for it."""

import contextlib
import json
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch.distributed.distributed_c10d import Store

_EVERY = 0.5  # seconds between two looks; a rank that fails waits for longer than that


class FailureWatch:
    """Watches for a failure for a block, in a thread of its own.

    A rank that waits in a collective for one that has failed is freed only as that one's process
    ends, and with rank 0 the store ends. So what the store says is read while it is there.

    Args:
        store: Where a rank that fails says so.
        key: Returns the name of that, for the call that comes next.
    """

    def __init__(self, store: "Store", key: Callable[[], str]) -> None:
        self._store = store
        self._key = key
        self._failure: tuple[int, str, str] | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "FailureWatch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(_EVERY)  # so that none is left as the process ends

    def reported(self, rank: int, words: tuple[str, str]) -> dict[str, bool]:
        """Say that this rank has failed; return whether that follows from another one's failure.

        Args:
            rank: This rank.
            words: The name of the error, and its line.
        """
        with contextlib.suppress(RuntimeError):
            self._store.compare_set(self._key(), "", json.dumps([rank, *words]))
        first = self.failure()
        return {"follows": True} if first is not None and first[0] != rank else {}

    def failure(self) -> tuple[int, str, str] | None:
        """Return the first failure: the rank, the name of the error, and its line."""
        with contextlib.suppress(RuntimeError):  # the store may have ended
            self._look()
        return self._failure

    def _watch(self) -> None:
        with contextlib.suppress(RuntimeError):
            while self._failure is None and not self._over.wait(_EVERY):
                self._look()

    def _look(self) -> None:
        key = self._key()
        if self._failure is None and self._store.check([key]):
            rank, kind, message = json.loads(self._store.get(key))
            self._failure = rank, kind, message

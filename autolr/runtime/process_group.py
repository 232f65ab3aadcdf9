"""The ranks of torch's process group."""

import contextlib
import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

import torch
import torch.distributed as dist

from autolr import errors
from autolr.errors import AutoLRError, PartedError, UserCodeError
from autolr.runtime.collectives import Alone, Ranks, T
from autolr.runtime.failure_watch import FailureWatch

if TYPE_CHECKING:
    from torch.distributed.distributed_c10d import Store


_GRACE = timedelta(seconds=60)  # how long a rank that failed waits until the others have read that
_SHORT = timedelta(seconds=10)  # likewise, where the others most likely wait for it already


@dataclass(frozen=True, slots=True)
class Together:
    """The ranks of torch's default process group.

    `gather` goes through the store at which the ranks met, not through a collective: a rank that
    fails can report it, also while the others are waiting in a collective of the user's own. Where
    they do wait in one, it raises alone after a minute, as it would have done without us. Where
    every pass has collectives, that is after ten seconds; as its process ends the collective of the
    others breaks, and they end with the line that they have read by then.

    Args:
        store: Where all ranks read and write.
        rank: Which of them this is.
        size: How many there are.
        device: Where tensors for collectives must be.
        grace: How long a rank that failed waits until the others have read that.
        waits: Whether ranks wait for each other in every forward pass.
    """

    store: "Store"
    rank: int
    size: int
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    grace: timedelta = _GRACE
    waits: bool = False
    _calls: list[int] = field(default_factory=lambda: [0])  # the number of the next one
    _agreed: list[Exception] = field(default_factory=list)

    _joined: ClassVar[Iterator[int]] = itertools.count()

    @classmethod
    def join(cls, device: torch.device, *, waits: bool = False) -> "Together":
        """Return the ranks of the process group; all of them have to call this alike.

        Args:
            device: Where tensors for collectives must be.
            waits: Whether ranks wait for each other in every forward pass.
        """
        from torch.distributed.distributed_c10d import PrefixStore, _get_default_store

        own = PrefixStore(f"autolr/{next(cls._joined)}", _get_default_store())
        grace = _SHORT if waits else _GRACE
        return cls(own, dist.get_rank(), dist.get_world_size(), device, grace, waits)

    def gather(self, action: Callable[[], T]) -> list[T]:
        """Send what ``action`` returned or raised, and return what all ranks sent; see `Ranks`.

        Raises:
            AutoLRError: What was raised by the lowest of the ranks that failed: the error itself if
                it is an `AutoLRError`, else a `UserCodeError`. Where all ranks failed with the same
                words, each raises what it raised.
            PartedError: If `waits`, and not all ranks came to read of it: no call can follow.
        """
        raised: Exception | None = None
        sent: dict[str, Any] = {}
        with FailureWatch(self.store, self._failed_key) if self.waits else nullcontext() as watch:
            try:
                sent["value"] = action()
            except Exception as error:
                if error in self._agreed:  # in a call within this one
                    raise
                raised = error
                sent["error"] = _in_words(error)
            return self._exchanged(sent, raised, watch)

    def any(self, flags: Sequence[bool]) -> list[bool]:
        """Reduce the flags by one collective; see `Ranks`."""
        raised = torch.tensor(flags, dtype=torch.int32, device=self.device)
        dist.all_reduce(raised, dist.ReduceOp.MAX)
        return [bool(flag) for flag in raised.tolist()]

    def _exchanged(
        self, sent: dict[str, Any], raised: Exception | None, watch: FailureWatch | None
    ) -> list[Any]:
        """Return what all ranks sent, or raise what they agree on."""
        if watch is not None and raised is not None:
            sent |= watch.reported(self.rank, sent["error"])
        try:
            received = self._exchange(self._calls[0], sent, raised)
        except RuntimeError:
            if watch is None or (first := watch.failure()) is None:
                raise
            with contextlib.suppress(RuntimeError):  # the store may have ended
                self.store.set(f"{self._calls[0]}/parted", "")
            raise self._parted(first) from raised
        call = self._calls[0]  # if this rank failed before a call within, it met that call
        self._calls[0] += 1
        failed = {rank: each["error"] for rank, each in enumerate(received) if "error" in each}
        if not failed:
            return [each["value"] for each in received]
        if len(failed) < self.size or len({*map(tuple, failed.values())}) > 1:
            own = {r: words for r, words in failed.items() if "follows" not in received[r]}
            failed = own or failed
        if watch is not None and self.store.check([f"{call}/parted"]):
            rank, (kind, message) = min(failed.items())
            raise self._parted((rank, kind, message))
        self._part(call)
        self._agreed.append(self._common(failed, raised))
        raise self._agreed[-1]

    def _failed_key(self) -> str:
        return f"{self._calls[0]}/failed"

    def _exchange(
        self, call: int, sent: dict[str, Any], raised: Exception | None
    ) -> list[dict[str, Any]]:
        """Send this rank's answer and return those of all, by rank."""
        keys = [f"{call}/{rank}" for rank in range(self.size)]
        self.store.set(keys[self.rank], json.dumps(sent))
        try:
            if raised is None:
                self.store.wait(keys)  # as long as any collective of the group waits
            else:
                self.store.wait(keys, self.grace)
        except RuntimeError:
            if raised is None or self.waits:
                raise
            self._agreed.append(raised)  # no other rank is left to agree with
            raise raised from None
        return [json.loads(answer) for answer in self.store.multi_get(keys)]

    def _parted(self, first: tuple[int, str, str]) -> PartedError:
        """Return the error of ranks that do not meet any more."""
        rank, _, message = first
        error = PartedError(f"{message} (on rank {rank} of {self.size})")
        self._agreed.append(error)  # no other rank is left to agree with
        return error

    def _part(self, call: int) -> None:
        """Wait until all ranks have read of the failure: the store ends with rank 0."""
        with contextlib.suppress(RuntimeError):
            self.store.set(f"{call}/{self.rank}/heard", "")
            heard = [f"{call}/{rank}/heard" for rank in range(self.size)]
            self.store.wait(heard, self.grace)

    def _common(self, failed: dict[int, list[str]], raised: Exception | None) -> Exception:
        """Return the error that every rank ends with."""
        rank, (kind, message) = min(failed.items())
        if raised is not None and [*failed.values()] == [[kind, message]] * self.size:
            return raised
        error: AutoLRError = getattr(errors, kind)(f"{message} (on rank {rank} of {self.size})")
        error.__cause__ = raised
        return error


def ranks_of(device: torch.device, size: int, *, waits: bool = False) -> Ranks:
    """Return the ranks of a run of ``size`` processes.

    Args:
        device: Where tensors for collectives must be.
        size: How many processes there are.
        waits: Whether they wait for each other in every forward pass.
    """
    several = size > 1 and dist.is_available() and dist.is_initialized()
    return Together.join(device, waits=waits) if several else Alone()


def _in_words(error: Exception) -> tuple[str, str]:
    """Return the name of the `AutoLRError` that all ranks raise for an error, and its line."""
    if isinstance(error, AutoLRError) and hasattr(errors, type(error).__name__):
        return type(error).__name__, str(error)
    return UserCodeError.__name__, " ".join(f"{type(error).__name__}: {error}".split())

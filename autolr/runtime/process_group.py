"""The ranks of torch's process group."""

import contextlib
import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

import torch
import torch.distributed as dist

from autolr import errors
from autolr.errors import AutoLRError, UserCodeError
from autolr.runtime.collectives import Alone, Ranks, T

if TYPE_CHECKING:
    from torch.distributed.distributed_c10d import Store


_GRACE = timedelta(seconds=60)  # how long a rank that failed waits until the others have read that


@dataclass(frozen=True, slots=True)
class Together:
    """The ranks of torch's default process group.

    `gather` goes through the store at which the ranks met, not through a collective: a rank that
    fails can report it, also while the others are waiting in a collective of the user's own. Where
    they do wait in one, it raises alone after a minute, as it would have done without us.

    Args:
        store: Where all ranks read and write.
        rank: Which of them this is.
        size: How many there are.
        device: Where tensors for collectives must be.
        grace: How long a rank that failed waits until the others have read that.
    """

    store: "Store"
    rank: int
    size: int
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    grace: timedelta = _GRACE
    _calls: Iterator[int] = field(default_factory=itertools.count)
    _agreed: list[Exception] = field(default_factory=list)

    _joined: ClassVar[Iterator[int]] = itertools.count()

    @classmethod
    def join(cls, device: torch.device) -> "Together":
        """Return the ranks of the process group; all of them have to call this alike."""
        from torch.distributed.distributed_c10d import PrefixStore, _get_default_store

        own = PrefixStore(f"autolr/{next(cls._joined)}", _get_default_store())
        return cls(own, dist.get_rank(), dist.get_world_size(), device)

    def gather(self, action: Callable[[], T]) -> list[T]:
        """Send what ``action`` returned or raised, and return what all ranks sent; see `Ranks`.

        Raises:
            AutoLRError: What was raised by the lowest of the ranks that failed: the error itself if
                it is an `AutoLRError`, else a `UserCodeError`. Where all ranks failed with the same
                words, each raises what it raised.
        """
        raised: Exception | None = None
        sent: dict[str, Any] = {}
        try:
            sent["value"] = action()
        except Exception as error:
            if error in self._agreed:  # in a call within this one
                raise
            raised = error
            sent["error"] = _in_words(error)
        call = next(self._calls)  # if this rank failed before a call within, it meets that call
        received = self._exchange(call, sent, raised)
        failed = {rank: each["error"] for rank, each in enumerate(received) if "error" in each}
        if failed:
            self._part(call)
            self._agreed.append(self._common(failed, raised))
            raise self._agreed[-1]
        return [each["value"] for each in received]

    def any(self, flags: Sequence[bool]) -> list[bool]:
        """Reduce the flags by one collective; see `Ranks`."""
        raised = torch.tensor(flags, dtype=torch.int32, device=self.device)
        dist.all_reduce(raised, dist.ReduceOp.MAX)
        return [bool(flag) for flag in raised.tolist()]

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
            if raised is None:
                raise
            self._agreed.append(raised)  # no other rank is left to agree with
            raise raised from None
        return [json.loads(self.store.get(key)) for key in keys]

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


def ranks_of(device: torch.device, size: int) -> Ranks:
    """Return the ranks of a run of ``size`` processes.

    Args:
        device: Where tensors for collectives must be.
        size: How many processes there are.
    """
    several = size > 1 and dist.is_available() and dist.is_initialized()
    return Together.join(device) if several else Alone()


def _in_words(error: Exception) -> tuple[str, str]:
    """Return the name of the `AutoLRError` that all ranks raise for an error, and its line."""
    if isinstance(error, AutoLRError) and hasattr(errors, type(error).__name__):
        return type(error).__name__, str(error)
    return UserCodeError.__name__, " ".join(f"{type(error).__name__}: {error}".split())

"""Which rank trains which rival of a run."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from torch.utils._python_dispatch import TorchDispatchMode

from autolr.errors import UnsupportedError
from autolr.runtime.candidate_run import CandidateRun
from autolr.runtime.learner import Learner

_SHOWING = 4  # attempts that are looked at: a module's hook behind a batch takes every other one


class Division(Protocol):
    """How the ranks divide the training of rivals; all of them make the same calls but `mine`."""

    @property
    def twins(self) -> bool:
        """Whether the run is compared by a copy of it that is trained as its rivals are."""

    def owner(self, index: int) -> int:
        """Return the rank that trains the candidate at an index of a probe."""

    def mine(self, runs: Sequence[CandidateRun]) -> list[CandidateRun]:
        """Return those that this rank trains."""

    def price(self, runs: Sequence[CandidateRun]) -> int:
        """Return the steps that the busiest rank makes when each of them makes one."""

    def attempt(self, action: Callable[[], None]) -> None:
        """Do something with one's own rivals."""

    def agree(self, flags: Sequence[bool]) -> list[bool]:
        """Return for each flag whether any rank has raised it.

        Raises:
            AutoLRError: On all ranks, if an attempt has failed on one.
        """

    def spread(self, runs: Sequence[CandidateRun]) -> None:
        """Have what each of them has come to on all ranks."""


class Together:
    """Every rank trains every rival, with gradients averaged over all: states are equal.

    Args:
        learner: The run.
    """

    twins = False

    def __init__(self, learner: Learner) -> None:
        self._ranks = learner.ranks

    def owner(self, index: int) -> int:
        """Return 0: nobody asks; see `Division`."""
        return 0

    def mine(self, runs: Sequence[CandidateRun]) -> list[CandidateRun]:
        """Return all; see `Division`."""
        return list(runs)

    def price(self, runs: Sequence[CandidateRun]) -> int:
        """Return how many they are; see `Division`."""
        return len(runs)

    def attempt(self, action: Callable[[], None]) -> None:
        """Do it; see `Division`."""
        action()

    def agree(self, flags: Sequence[bool]) -> list[bool]:
        """Ask the others; see `Division`."""
        return self._ranks.any(flags)

    def spread(self, runs: Sequence[CandidateRun]) -> None:
        """Do nothing; see `Division`."""


class Apart:
    """Each rank trains its share of the rivals, on its own batches and gradients alone.

    R ranks train R rivals in the time of one. A step apart is one rank's: it sees 1 / R of the
    batch. So that this counts for no candidate more than for another, the run's own is trained
    apart as well where it has rivals, by a copy that is compared in its place and thrown away.
    Smaller batches are noisier, which favours lower rates: the safe side. Scores are made of all
    candidates by all ranks, who take over each one's state from its owner before.

    Args:
        learner: The run, trained by several ranks.
    """

    twins = True

    def __init__(self, learner: Learner) -> None:
        self._learner = learner
        self._ranks = learner.ranks
        self._attempts = 0
        self._error: Exception | None = None

    def owner(self, index: int) -> int:
        """Deal them out in turn; see `Division`."""
        return index % self._ranks.size

    def mine(self, runs: Sequence[CandidateRun]) -> list[CandidateRun]:
        """Return one's share; see `Division`."""
        return [run for run in runs if run.owner == self._ranks.rank]

    def price(self, runs: Sequence[CandidateRun]) -> int:
        """Return the largest share: the others wait; see `Division`."""
        return max(Counter(run.owner for run in runs).values(), default=0)

    def attempt(self, action: Callable[[], None]) -> None:
        """Do it without the others, and keep what is raised for `agree`; see `Division`."""
        try:
            with self._learner.alone(), self._without_collectives():
                action()
        except Exception as error:
            self._error = self._error or error

    def agree(self, flags: Sequence[bool]) -> list[bool]:
        """Ask the others, also for errors; see `Division`."""
        *raised, failed = self._ranks.any([*flags, self._error is not None])
        if failed:
            self._ranks.gather(self._raise)
        return raised

    def spread(self, runs: Sequence[CandidateRun]) -> None:
        """Send each from its owner to all; see `Division`."""
        for run in runs:
            own = run.owner == self._ranks.rank
            state = run.state_dict(gradients=True) if own else {}
            state = self._ranks.share(state, run.owner)
            if not own:
                run.state.renew_attributes()  # what is sent is what differs from the run's
                run.load_state_dict(state, self._learner.model)

    def _raise(self) -> None:
        error, self._error = self._error, None
        if error is not None:
            raise error

    @contextmanager
    def _without_collectives(self) -> Iterator[None]:
        """Refuse a step in which the ranks wait for each other; the first ones show."""
        if self._attempts == _SHOWING:
            yield
            return
        self._attempts += 1
        with _NoCollectives():  # type: ignore[no-untyped-call]
            yield


class _NoCollectives(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Refuses operations of torch.distributed."""

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        if "c10d" in func.namespace:
            raise UnsupportedError(
                "ranks='apart' does not serve a training step in which the ranks wait for each "
                f"other ({func}): leave out ranks="
            )
        return func(*args, **(kwargs or {}))


def division_of(learner: Learner, *, apart: bool) -> Division:
    """Return how the ranks of a run divide its rivals; one rank alone trains them all."""
    return Apart(learner) if apart and learner.ranks.size > 1 else Together(learner)

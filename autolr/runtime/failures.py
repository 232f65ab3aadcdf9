"""Errors of what runs for the search alone: rivals end, or the search, and the run continues.

What raises in a rival's step has just been done by the live run without an error, so it is a rival
that has diverged: much code refuses a loss that is not finite. An interrupt, a signal and
`SystemExit` are no `Exception`, and pass. On several ranks the others may wait for the one that
raised, in a collective of the user's own: there only errors that all ranks raise alike are caught.
What comes before a backward pass is made so that they do, see `agreed`.
"""

from collections.abc import Callable, Iterable

import torch

from autolr.errors import AgreedError, AutoLRError, UnsupportedError
from autolr.runtime.collectives import Ranks, T

OUT_OF_MEMORY = (MemoryError, torch.OutOfMemoryError)

_LONGEST = 160  # characters of an error in a line; some print whole tensors


def of_a_step(ranks: Ranks) -> tuple[type[Exception], ...]:
    """Return the errors that end a rival in its training step or a hook.

    Args:
        ranks: The processes that train the run.
    """
    return (Exception,) if ranks.size == 1 else (AgreedError,)


def agreed(ranks: Ranks, action: Callable[[], T]) -> T:
    """Return what ``action`` returns; where it raises on one rank, all raise the same error.

    Args:
        ranks: The processes that train the run.
        action: A forward pass. Ranks may wait for each other in it where they do in any.

    Raises:
        AgreedError: With the words of the first rank that failed.
        PartedError: Likewise, where others wait for that rank: that ends the run.
    """
    if ranks.size == 1:
        return action()
    if ranks.waits:
        return _met(ranks, action)
    values: list[T] = []
    failed: Exception | None = None
    try:
        values.append(action())
    except Exception as error:
        failed = error
    if not any(ranks.any([failed is not None])):
        return values[0]
    by_rank = ranks.gather(lambda: None if failed is None else in_words(failed))
    rank, words = next((i, words) for i, words in enumerate(by_rank) if words is not None)
    raise AgreedError(f"{words} (on rank {rank} of {ranks.size})") from failed


def _met(ranks: Ranks, action: Callable[[], T]) -> T:
    """Return what ``action`` returns, after ranks have met without a collective; see `agreed`."""
    values: list[T] = []

    def attempt() -> None:
        try:
            values.append(action())
        except AutoLRError:
            raise
        except Exception as error:
            raise AgreedError(in_words(error)) from error

    ranks.gather(attempt)
    return values[0]


def of_a_search(ranks: Ranks) -> tuple[type[Exception], ...]:
    """Return the errors that end a rival while it is scored, and elsewhere the search.

    Args:
        ranks: The processes that train the run.
    """
    return (Exception,) if ranks.size == 1 else (UnsupportedError,)


def in_words(error: Exception) -> str:
    """Return an error as one line.

    >>> in_words(ValueError("loss is NaN")), in_words(AssertionError())
    ('ValueError: loss is NaN', 'AssertionError')
    """
    kind = "" if isinstance(error, AutoLRError) else f"{type(error).__name__}: "
    text = " ".join(f"{kind}{error}".split()).removesuffix(":")
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def forget_step(extras: Iterable[object]) -> None:
    """Have gradient scalers forget a step that has raised halfway; no state of theirs holds that.

    Args:
        extras: Those of the learner.
    """
    for extra in extras:
        if isinstance(extra, torch.amp.GradScaler):
            extra._per_optimizer_states.clear()

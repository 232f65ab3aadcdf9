"""What to say of a name that does not exist."""

import difflib
from collections.abc import Iterable, Sequence

from autolr.quoting import quoted


def unknown(kind: str, got: object, known: Iterable[object]) -> str:
    """Return the message for a name that does not exist, the nearest one that does first.

    >>> unknown("profile", "cosin", ["linear", "cosine"])
    "unknown profile 'cosin'; did you mean 'cosine'? It must be one of: linear, cosine"
    """
    names = [str(name) for name in known]
    near = nearest(got, names)
    hint = "it" if near is None else f"did you mean {near!r}? It"
    return f"unknown {kind} {quoted(got)}; {hint} must be one of: {', '.join(names)}"


def nearest(got: object, known: Sequence[str]) -> str | None:
    """Return the name that is so near that it may have been meant; None where none is.

    >>> nearest("val_lss", ["train_loss", "val_loss"]), nearest("x", ["val_loss"])
    ('val_loss', None)
    """
    return next(iter(difflib.get_close_matches(str(got), known, n=1)), None)

"""What to say of a name that does not exist."""

import difflib
from collections.abc import Iterable

from autolr.quoting import quoted


def unknown(kind: str, got: object, known: Iterable[object]) -> str:
    """Return the message for a name that does not exist, the nearest one that does first.

    >>> unknown("profile", "cosin", ["linear", "cosine"])
    "unknown profile 'cosin'; did you mean 'cosine'? It must be one of: linear, cosine"
    """
    names = [str(name) for name in known]
    near = difflib.get_close_matches(str(got), names, n=1)
    hint = f"did you mean {near[0]!r}? It" if near else "it"
    return f"unknown {kind} {quoted(got)}; {hint} must be one of: {', '.join(names)}"

"""A warm-up that other code writes into the groups of an optimizer, as its first steps show it."""

from collections.abc import Sequence

_SEEN = 3  # steps: code that writes after a step leaves the first one at the full rate
_AT_WORK = 0.5  # of its height: from there on rates can be compared


def rise_beyond(horizon: int, shares: Sequence[float]) -> int | None:
    """Return the step at which a rate that rises will be at its height.

    It is taken to rise as it did between the last two of the first three steps.

    Args:
        horizon: A step.
        shares: Of its height, in each step so far.

    Returns:
        None where the rate does not rise, is at work already, or will be at its height by
        ``horizon``; and but for the moment at which three steps have been made.

    >>> rise_beyond(20, [0.01, 0.02, 0.03])
    100
    >>> rise_beyond(20, [0.1, 0.2, 0.3])
    """
    if len(shares) != _SEEN:
        return None
    before, now = shares[-2:]
    if not before < now < _AT_WORK:
        return None
    rise = _SEEN + round((1 - now) / (now - before))
    return rise if rise > horizon else None

"""The rounds to come, where another comparison is put before them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autolr.online.rounds import Round


def behind(rounds: Sequence["Round"], step: int, last: float) -> "tuple[Round, ...]":
    """Return rounds that begin at a step or later: those that would begin earlier are moved.

    A round without rivals that would have ended before is left out, and so is one that would not
    end in time.

    Args:
        rounds: Rising.
        step: In steps of the run.
        last: Step by which each has to end.
    """
    moved: list[Round] = []
    for now in rounds:
        if now.copies or now.horizon >= step:
            shift = max(0, step - now.start)
            step = now.horizon + shift
            window = max(1, min(now.window, step - now.start - shift)) if shift else now.window
            moved.append(replace(now, start=now.start + shift, horizon=step, window=window))
    return tuple(one for one in moved if one.horizon <= last)


def affordable(rounds: Sequence["Round"], steps: int) -> "tuple[tuple[Round, ...], int]":
    """Return rounds without the rivals that cannot be paid, and the steps that are left.

    Where not all rivals of a round can be paid, those at lower rates stay if they can: a rate that
    is too high costs more than one that is too low.

    Args:
        rounds: The first ones are paid first.
        steps: That may be made beside the run.
    """
    paid = []
    for now in rounds:
        lower = replace(now, factors=tuple(f for f in now.factors if f < 1), profiles=())
        ways = (now, lower, replace(now, factors=(), profiles=()))
        paid.append(next(way for way in ways if way.price <= steps))
        steps -= paid[-1].price
    return tuple(paid), steps

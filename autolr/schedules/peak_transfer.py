"""Moving a peak from one schedule and length of run to another."""

from autolr.schedules.convex_bound import bound, check_length
from autolr.schedules.schedule import Schedule, check_schedule
from autolr.settings import Positive, Real, check_of, read_number


def transfer(
    peak: float,
    from_: Schedule,
    steps: int,
    to: Schedule | None = None,
    to_steps: int | None = None,
    *,
    exponent: float = 0.5,
) -> float:
    """Return the peak for another schedule or length, from one that was tuned.

        peak(to, to_steps) = peak best(to, to_steps) / best(from_, steps)
                             (steps / to_steps)^(exponent - 0.5)

    with the best peaks of `bound` for gradients that stay of one size. Twice the steps take
    1 / sqrt(2) of the peak; a schedule that falls early takes a higher peak than one that stays up.
    It moves a peak in the right direction, for another schedule rather too far. It does not tell
    which schedule is better.

    Args:
        peak: The best one for ``from_`` in a run of ``steps``.
        from_: The schedule that it was tuned with.
        steps: Length of the run that it was tuned in, in optimizer steps.
        to: The schedule to use; None for the same.
        to_steps: Length of the run to make; None for the same.
        exponent: Of the length, within [0, 2]: how fast peaks fall with it. 0.5 is the theory's.
            On eight small tasks 0.7 was better in the mean (`examples/papers`), and 0.25 to 1.0 on
            single ones.

    Raises:
        ConfigError: If ``peak`` is not above 0, ``exponent`` is out of its range, a length is not
            a whole number from 1 to 10 million, or a schedule does not fit in its run.

    Source: Schaipp et al. 2025, arXiv:2501.18965.

    >>> from autolr.schedules import constant, cooldown, linear
    >>> wsd = constant() | cooldown(0.2, "linear")
    >>> round(transfer(0.001, wsd, 4000, linear()), 6)
    0.001945
    >>> round(transfer(0.001, wsd, 4000, to_steps=8000), 6)
    0.000708
    """
    peak = read_number("peak", check_of(Positive), peak)
    target = from_ if to is None else to
    for name, schedule in (("from_", from_), ("to", target)):
        check_schedule(name, schedule)
    length = steps if to_steps is None else to_steps
    for name, value in (("steps", steps), ("to_steps", length)):
        check_length(name, value)
    faster = read_number("exponent", Real(0.0, 2.0), exponent) - 0.5
    moved = peak * bound(target, length).best_peak / bound(from_, steps).best_peak
    return moved * float((steps / length) ** faster)

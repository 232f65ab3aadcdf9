"""A result in few entries, for a terminal of 80 columns."""

import re
from textwrap import fill
from typing import TYPE_CHECKING

from autolr import schedules
from autolr.counted import counted
from autolr.rules.fixed import OWN

if TYPE_CHECKING:
    from autolr.result.result import Result


_COLUMNS = 80
_INDENT = 11
_TIED = "\0"  # a space at which no line is broken


def summary(result: "Result") -> str:
    """Return what ``print(result)`` prints: five entries, in lines of at most 80 columns.

    A sixth says where the run has ended with an average of its last weights.
    """
    return "\n".join(
        fill(
            f"{name:{_INDENT}}{text}",
            _COLUMNS,
            subsequent_indent=" " * _INDENT,
            break_long_words=False,
            break_on_hyphens=False,
        ).replace(_TIED, " ")
        for name, text in (
            ("peak", _peak(result)),
            ("schedule", _schedule(result)),
            ("price", _price(result)),
            ("expected", _expected(result)),
            ("rollbacks", _rollbacks(result)),
            ("weights", averaged_text(result)),
        )
        if text
    )


def size_text(count: int) -> str:
    """Return a number of bytes in KB, MB or GB.

    >>> size_text(52_000)
    '52 KB'
    """
    unit, name = next((u, n) for u, n in ((1e9, "GB"), (1e6, "MB"), (0, "KB")) if count >= u)
    return f"{count / (unit or 1e3):.3g} {name}"


def averaged_text(result: "Result") -> str:
    """Return which weights a run has ended with, and by what; nothing for the last ones."""
    if (end := result.averaged) is None:
        return ""
    score, last = (result.monitor.text(score) for score in (end.score, end.last))
    steps = f"the average of its last {end.window:,} steps"
    return f"{steps}: {result.monitor.name} {score}, {last} without"


def _peak(result: "Result") -> str:
    rule = "" if result.rule == OWN else f"{result.rule}, "
    scores = f"{counted(len(result.scores), 'score')} of {result.monitor.name}"
    if (last := result.broken_off) is not None and not result.compared:
        kept = f"the run kept {result.run_peak:.4g}"
        return f"{rule}none: the search ended at step {last.step:,}; {kept}"
    if not result.scores:
        return f"{rule}{result.run_peak:.4g}: {too_few(result.total_steps)} to search"
    if not result.compared:
        return f"{rule}none: of {scores} none was finite; the run kept {result.run_peak:.4g}"
    return f"{rule}{result.peak:.4g}{multiplied(result)}, by {scores}"


def too_few(steps: int) -> str:
    """Return that so many steps are too few."""
    return f"{counted(steps, 'step', ',')} {'is' if steps == 1 else 'are'} too few"


def runs_text(price: float) -> str:
    """Return a price in runs.

    >>> runs_text(1.0), runs_text(1.25)
    ('1 run', '1.25 runs')
    """
    text = f"{price:.3g}"
    return f"{text} run" if text == "1" else f"{text} runs"


def multiplied(result: "Result") -> str:
    """Return what the rates of several optimizers are multiplied by; nothing for one."""
    return f" (every rate x{result.factor:.4g})" if result.own_rates else ""


def _schedule(result: "Result") -> str:
    text = re.sub(r" (?![*|])|(?<=[*|]) ", _TIED, str(result.schedule))  # broken at operators
    if result.own_peak is None:
        return text
    own = f"that of the module's own scheduler, times {result.factor:.4g}"
    return own if result.schedule == schedules.constant() else f"{own} and, by step, {text}"


def _price(result: "Result") -> str:
    passes = counted(result.validation_passes, "validation pass")
    made = result.stopped_at or result.total_steps
    steps = f"{counted(made, 'step', ',')} of the run, {result.probe_steps:,} beside it, {passes}"
    copies = f", copies of {size_text(result.copy_bytes)}" if result.copy_bytes else ""
    return f"{runs_text(result.price)}: {steps}{copies}"


def _expected(result: "Result") -> str:
    if result.stopped_at is not None:
        planned = counted(result.total_steps, "step", ",")
        return f"nothing: the run ended after {result.stopped_at:,} of {planned}"
    if result.forecast is None:
        return "unknown: there were too few scores"
    return f"{result.monitor.name} {result.monitor.expected(result.forecast)} at the end"


def _rollbacks(result: "Result") -> str:
    if not result.rollbacks:
        return "none"
    steps = ", ".join(f"{one.step:,} to {one.to:,}" for one in result.rollbacks)
    return (
        f"{len(result.rollbacks)}: step {steps}, each to a lower rate; they discarded "
        f"{counted(result.discarded_steps, 'step', ',')}, so a replay from scratch is another run"
    )

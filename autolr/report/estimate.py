"""What a study will take, in words."""

import re
import textwrap
from collections.abc import Iterator

from autolr.counted import counted
from autolr.study import Estimate

_WIDE = 80  # columns
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_MEASURE = re.compile(rf"([\d.e+]+) ({'|'.join(_UNITS)})\b")  # stays on one line
_UNKNOWN = "not known before the first step"


def estimate_lines(estimate: Estimate) -> Iterator[str]:
    """Yield lines of at most 80 columns."""
    yield f"expected for the whole study, {counted(estimate.trials, 'trial', ',')}:"
    for name, text in estimate_parts(estimate).items():
        whole = _MEASURE.sub("\\1\N{NO-BREAK SPACE}\\2", text)
        first, others = f"  {name:8}", " " * 10
        lines = textwrap.wrap(whole, _WIDE, initial_indent=first, subsequent_indent=others)
        for line in lines:
            yield line.replace("\N{NO-BREAK SPACE}", " ")


def estimate_parts(estimate: Estimate) -> dict[str, str]:
    """Return what is expected, in words, by what it is about."""
    parts = {
        "steps": _steps(estimate),
        "copies": _copies(estimate),
        "memory": _memory(estimate),
        "disk": _disk(estimate),
    }
    if estimate.varied:
        names = " and ".join(estimate.varied)
        parts["but"] = f"this is a run as the config has it, and trials differ in {names}"
    return parts


def bytes_text(count: int) -> str:
    """Return a number of bytes with three digits and its unit.

    >>> bytes_text(3 * 2**20), bytes_text(1023 * 2**10), bytes_text(12)
    ('3 MiB', '0.999 MiB', '12 B')
    """
    value, unit = float(count), 0
    while value >= 999.5 and unit < len(_UNITS) - 1:
        value, unit = value / 1024, unit + 1
    return f"{value:.3g} {_UNITS[unit]}"


def _steps(estimate: Estimate) -> str:
    text = counted(estimate.price.steps, "optimizer step", ",")
    if estimate.trials > 1:
        text += f", as many as in {estimate.runs:.3g} whole runs"
    if estimate.price.steps < estimate.trials * estimate.run_steps:
        text += f" ({estimate.trials} without pruning)"
    if estimate.rival_steps:
        text += f"; rivals beside the trials make at most {estimate.rival_steps:,} more"
    return text


def _copies(estimate: Estimate) -> str:
    held = estimate.memory
    if held is None:
        return _UNKNOWN
    if held.rivals == 0:
        return "none: no trial has rivals"
    most = f"at most {held.rivals} of a trial at a time, for the rivals that find its peak"
    return most if held.copies is None else f"{most}: {bytes_text(held.copies)}"


def _memory(estimate: Estimate) -> str:
    held, trial = estimate.memory, estimate.trial_bytes
    if held is None:
        return _UNKNOWN
    state = _UNKNOWN if held.optimizer is None else bytes_text(held.optimizer)
    parts = [
        f"weights {bytes_text(held.weights)}",
        f"gradients {bytes_text(held.gradients)}",
        f"optimizer state {state}",
        *([f"averaged weights {bytes_text(held.average)}"] if estimate.averages else []),
        *([f"copies {bytes_text(held.copies)}"] if held.copies else []),
    ]
    if trial is None:
        return f"{', '.join(parts)}; activations and batches come on top"
    each = (
        "a trial"
        if estimate.devices == 1
        else f"on each of the {estimate.devices} devices of a trial"
    )
    text = f"{bytes_text(trial)} {each}: {', '.join(parts)}"
    if estimate.sharing > 1:
        text += f"; {bytes_text(estimate.sharing * trial)} for {estimate.sharing} trials on a GPU"
    if estimate.workers is not None and estimate.workers > 1:
        total = estimate.workers * estimate.devices * trial
        text += f"; {bytes_text(total)} for {estimate.workers} trials at a time"
    return f"{text}; activations and batches come on top"


def _disk(estimate: Estimate) -> str:
    most, total = estimate.price.checkpoints, estimate.disk_bytes
    if most == 0:
        return "no checkpoints: no trial is paused"
    if total is None:
        return f"at most {counted(most, 'checkpoint', ',')} at a time, of a size {_UNKNOWN}"
    each = bytes_text(total // most)
    return f"{bytes_text(total)} for at most {counted(most, 'checkpoint', ',')} of {each} at a time"

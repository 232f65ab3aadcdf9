"""The curve of a range test: as an SVG chart, and as a figure of matplotlib."""

import math
from typing import TYPE_CHECKING

from autolr.drawing import Axis, Chart, Frame
from autolr.errors import ConfigError
from autolr.extras import install_command

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from autolr.result.range_test import RangeTestResult


def range_chart(test: "RangeTestResult") -> Chart:
    """Return the losses and the smoothed ones against the rate, with the suggestion."""
    frame = Frame(Axis.over(test.rates, "rate", log=True), _losses_axis(test))
    rates = test.rates.tolist()
    lines = [
        ("c4 thin", [*zip(rates, test.losses, strict=True)]),
        ("run", [*zip(rates, test.smoothed.tolist(), strict=True)]),
    ]
    lines = [(style, [one for one in line if math.isfinite(one[1])]) for style, line in lines]
    marks, key = [frame.cut(lines)], [("c4", "loss of each step"), ("c0", "smoothed")]
    if (rate := test.suggestion) is not None:
        marks.append(frame.upright(rate, "back"))
        key.append(("bad", f"suggested: {rate:.3g}"))
    return Chart(frame, tuple(marks), "training loss against the rate", tuple(key))


def range_figure(test: "RangeTestResult") -> "Figure":
    """Return the same as a figure of matplotlib.

    Raises:
        ConfigError: If matplotlib is not installed.
    """
    try:
        from matplotlib import pyplot
    except ImportError:
        install = install_command("matplotlib")
        raise ConfigError(f"plot() needs matplotlib: {install}") from None
    figure, axes = pyplot.subplots(layout="constrained")
    axes.plot(test.rates, test.losses, alpha=0.4, label="loss of each step")
    axes.plot(test.rates, test.smoothed, label="smoothed")
    if test.suggestion is not None:
        axes.axvline(test.suggestion, linestyle=":", label=f"suggested {test.suggestion:.3g}")
    axis = _losses_axis(test)
    axes.set(xscale="log", xlabel="rate", ylabel=axis.label, ylim=(axis.low, axis.high))
    axes.legend()
    return figure


def _losses_axis(test: "RangeTestResult") -> Axis:
    """Return an axis for all but the last losses, which are far above."""
    smooth = [x for x in test.smoothed.tolist() if math.isfinite(x)]
    first, lowest = (smooth[0], min(smooth)) if smooth else (1.0, 0.0)
    top = first + max(first - lowest, 0.1 * abs(first))
    return Axis.over([top, *(x for x in (*smooth, *test.losses) if x <= top)], "training loss")

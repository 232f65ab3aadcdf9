"""The figure: quality against price."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from examples.time_to_target.table import Line

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PRICES = (1, 1.25, 1.5, 2, 3, 5, 10)
_EXCESSES = (-0.02, -0.01, 0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)
_LINEAR = 0.01  # up to this excess the axis is linear, so that an oracle can be beaten
_LABEL = (85, 11)  # pixels: labels that are closer than this are moved apart


def draw(table: Sequence[Line], path: Path) -> None:
    """Save a PNG with a point for each method; AutoLRS has a second one, of trained steps only."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 5), dpi=120)
    axes.set_xscale("log")
    axes.set_yscale("symlog", linthresh=_LINEAR)
    for line in table:
        ours, excess = line.method == "autolr", line.ratio - 1
        axes.plot(
            line.price, excess, "*" if ours else "o", ms=14 if ours else 5, color=_color(line)
        )
        if line.method == "autolrs":
            axes.plot(line.trained_price, excess, "o", ms=5, mfc="none", color=_color(line))
            axes.plot([line.trained_price, line.price], [excess] * 2, ":", color=_color(line))
    excesses = [line.ratio - 1 for line in table]
    low, high = min(-_LINEAR, *excesses), max(_LINEAR, *excesses)
    axes.set(
        xlim=(0.95, 16),
        ylim=(1.5 * low, 1.5 * high),
        xlabel="all optimizer steps, search included / T",
        ylabel="final loss / oracle - 1, geometric mean",
    )
    axes.axhline(0, color="0.7", lw=1, zorder=0)
    axes.set_xticks(_PRICES, [f"{price:g}" for price in _PRICES])
    shown = [tick for tick in _EXCESSES if 1.5 * low <= tick <= 1.5 * high]
    axes.set_yticks(shown, [f"{tick:.0%}" for tick in shown])
    axes.minorticks_off()
    axes.spines[["top", "right"]].set_visible(False)
    figure.subplots_adjust(0.11, 0.1, 0.99, 0.98)
    _label(axes, table)
    figure.savefig(path)
    plt.close(figure)


def _color(line: Line) -> str:
    return "C3" if line.method == "autolr" else "C0"


def _label(axes: "Axes", table: Sequence[Line]) -> None:
    """Name the points, from the lowest up; a name that would cover another one goes higher."""
    taken: list[tuple[float, float]] = []
    for line in sorted(table, key=lambda line: line.ratio):
        x, y = axes.transData.transform((line.price, line.ratio - 1))
        place = y
        while any(abs(x - a) < _LABEL[0] and abs(place - b) < _LABEL[1] for a, b in taken):
            place += 1
        taken.append((x, place))
        axes.annotate(
            line.method,
            (line.price, line.ratio - 1),
            (8, (place - y) * 72 / axes.figure.dpi - 3),
            textcoords="offset points",
            fontsize=7.5,
            color=_color(line),
        )

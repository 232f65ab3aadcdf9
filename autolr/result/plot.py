"""A result as a figure of matplotlib: the rates that were compared, the run, and its rate."""

import math
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from autolr.errors import ConfigError
from autolr.extras import install_command

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from autolr.online.records import ProbeScore
    from autolr.result.result import Result


def result_figure(result: "Result") -> "Figure":
    """Return three axes side by side: scores by rate, the run's scores, the run's rate.

    Raises:
        ConfigError: If matplotlib is not installed.
    """
    try:
        from matplotlib import pyplot
    except ImportError:
        install = install_command("matplotlib")
        raise ConfigError(f"result.plot() needs matplotlib: {install}") from None
    figure, (rates, run, rate) = pyplot.subplots(1, 3, figsize=(12, 3.4), layout="constrained")
    _draw_rates(rates, result)
    _draw_run(run, result)
    _draw_rate(rate, result)
    return figure


def _draw_rates(axes: "Axes", result: "Result") -> None:
    """Draw a line for each round in which several rates were compared; the kept one is filled."""
    raced = (probe for probe in result.scores if not probe.annealed and _finite(probe))
    for horizon, group in groupby(raced, key=lambda probe: probe.horizon):
        probes = sorted(group, key=lambda probe: probe.rate(result.total_steps))
        if len(probes) < 2:
            continue
        x = [probe.rate(result.total_steps) for probe in probes]
        y = [result.monitor.value(probe.score) for probe in probes]
        (line,) = axes.plot(x, y, marker="o", markerfacecolor="none", label=f"step {horizon}")
        kept = [(a, b) for a, b, probe in zip(x, y, probes, strict=True) if probe.kept]
        axes.plot(*zip(*kept, strict=True), "o", color=line.get_color()) if kept else None
    axes.set(xscale="log", xlabel="rate", ylabel=result.monitor.name, title="rates compared")
    if axes.lines:
        axes.legend(fontsize="small")


def _draw_run(axes: "Axes", result: "Result") -> None:
    kept = [one for one in result.scores if one.kept and not one.annealed and _finite(one)]
    y = [result.monitor.value(probe.score) for probe in kept]
    axes.plot([probe.horizon for probe in kept], y, marker="o")
    _mark_rollbacks(axes, result)
    axes.set(xlim=(0, result.total_steps), xlabel="step", title="the run")
    axes.set_ylabel(f"{result.monitor.name} if annealed there")


def _draw_rate(axes: "Axes", result: "Result") -> None:
    values = result.schedule.values(result.total_steps)
    own = result.own_peak is not None
    axes.plot(np.arange(result.total_steps), values if own else values * result.run_peak)
    _mark_rollbacks(axes, result)
    axes.set(xlabel="step", ylabel="times its scheduler" if own else "rate", title="its rate")


def _mark_rollbacks(axes: "Axes", result: "Result") -> None:
    for rollback in result.rollbacks:
        axes.axvline(rollback.step, color="tab:red", linestyle=":")


def _finite(probe: "ProbeScore") -> bool:
    return math.isfinite(probe.score)

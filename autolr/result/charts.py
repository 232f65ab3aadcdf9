"""The charts of a result's page: rates compared, the run, its schedule."""

import math
from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from autolr.drawing import Axis, Frame, Point
from autolr.drawing.sheet import COLOURS, key
from autolr.online.records import ProbeScore
from autolr.online.run_forecast import expected_at, forecast_origin, run_scores
from autolr.rules.fixed import OWN

if TYPE_CHECKING:
    from autolr.result.result import Result

_FEW = 400  # steps at which a schedule is drawn: a chart has 720 pixels


def rates_chart(result: "Result") -> str:
    """Draw the rounds in which several rates were compared, one colour each."""
    raced = (probe for probe in result.scores if not probe.annealed)
    grouped = groupby(raced, key=lambda probe: probe.horizon)
    rounds = [probes for _, each in grouped if len(probes := list(each)) > 1]
    if not rounds:
        return "<p>none: there was nothing to choose from</p>"
    if not result.compared:
        return f"<p>none: no {escape(result.monitor.name)} was finite</p>"
    shown = [probe for probes in rounds for probe in probes]
    x = Axis.over([probe.rate(result.total_steps) for probe in shown], "rate", log=True)
    frame = Frame(x, _score_axis(result, [probe.score for probe in shown]))
    marks, keys = [], []
    for index, probes in enumerate(rounds):
        colour = f"c{min(index, COLOURS - 1)}"
        marks.append(f'<g class="{colour}">{"".join(_compared(result, frame, probes))}</g>')
        keys.append((colour, f"step {probes[0].horizon}"))
    chart = frame.svg(*marks, label=f"{result.monitor.name} against the rate, by round")
    return chart + key(keys)


def run_chart(result: "Result") -> str:
    """Draw the run's curve, its rollbacks and its forecast; nothing for a single score."""
    of_run = (probe for probe in result.scores if probe.kept and not probe.annealed)
    kept = [probe for probe in of_run if math.isfinite(probe.score)]
    if len(kept) < 2:
        return ""
    fan = _fan(result)
    ends = [score for three in fan[-1:] for _, score in three]
    axis = _score_axis(result, [probe.score for probe in kept]).reaching(ends)
    frame = Frame(_steps_axis(result), axis, height=296)
    marks = [frame.upright(rollback.step, "back") for rollback in result.rollbacks]
    keys = [("c0", "the run")]
    if result.rollbacks:
        keys.append(("bad", "rolled back from here"))
    if fan:
        low, middle, high = zip(*fan, strict=True)
        marks += [frame.area(low, high, "band"), frame.line(middle, "guess")]
        keys.append(("", f"shaded: expected as of step {low[0][0]:.0f}, in 4 of 5 runs"))
    marks += [*_curve(result, frame, kept)]
    return frame.svg(*marks, label=f"{result.monitor.name} of the run over its steps") + key(keys)


def rate_chart(result: "Result") -> str:
    """Draw the rate of the run over its steps."""
    steps = np.unique(np.linspace(0, result.total_steps - 1, _FEW).round().astype(int))
    values = result.schedule.values(result.total_steps)
    label = "times its scheduler" if result.own_peak is not None else "rate"
    if result.own_peak is None:
        values = values * result.run_peak
    frame = Frame(_steps_axis(result), Axis(0.0, 1.06 * float(values.max()), label), height=196)
    marks = [frame.upright(rollback.step, "back") for rollback in result.rollbacks]
    curve = frame.line(zip(steps.tolist(), values[steps].tolist(), strict=True), "run")
    return frame.svg(*marks, curve, label="the rate of the run over its steps")


def _compared(result: "Result", frame: Frame, probes: Sequence[ProbeScore]) -> Iterator[str]:
    """Yield a round: a line over the rates of each rule, a dot each; diverged ones at the edge."""
    rising = sorted(probes, key=lambda probe: probe.rate(result.total_steps))
    finite = [one for one in rising if math.isfinite(one.score)]
    places = {one: _at(result, one.rate(result.total_steps), one.score) for one in finite}
    worst = frame.y.low if result.monitor.mode == "max" else frame.y.high
    for rule in dict.fromkeys(one.candidate.rule for one in finite):
        yield frame.line([places[one] for one in finite if one.candidate.rule == rule], "thin")
    for one in rising:
        rate = one.rate(result.total_steps)
        style = "kept" if one.kept else "tried" if one in places else "diverged"
        rule = "" if one.candidate.rule == OWN else f"{one.candidate.rule}, "
        title = f"{rule}rate {rate:.4g}: {_shown(result, one.score)}"
        yield frame.dot(places.get(one, (rate, worst)), style, title)


def _curve(result: "Result", frame: Frame, kept: Sequence[ProbeScore]) -> Iterator[str]:
    """Yield the curve of a run; after a rollback the next line starts at the restored score."""
    after = dict(run_scores(result.scores, result.rollbacks))
    bad = {rollback.step for rollback in result.rollbacks}
    line: list[Point] = []
    dots = []
    for probe in kept:
        place = _at(result, probe.horizon, probe.score)
        line.append(place)
        if probe.horizon in bad:
            yield frame.line(line, "run")
            line = [_at(result, probe.horizon, after[probe.horizon])]
        style = "bad" if probe.horizon in bad else "c0 kept"
        dots.append(frame.dot(place, style, f"step {probe.horizon}: {_shown(result, probe.score)}"))
    yield frame.line(line, "run")
    yield from dots


def _fan(result: "Result") -> list[tuple[Point, Point, Point]]:
    """Return low edge, middle and high edge of the forecast after its origin."""
    curve = run_scores(result.scores, result.rollbacks)
    origin = forecast_origin(curve, result.total_steps)
    if origin is None or result.forecast is None:
        return []
    bands = []
    for step in np.linspace(origin, result.total_steps, 25).tolist():
        forecast = expected_at(curve, result.total_steps, step)
        assert forecast is not None
        three = (forecast.low, forecast.loss, forecast.high)
        low, middle, high = (_at(result, step, score) for score in three)
        bands.append((low, middle, high))
    return bands


def _score_axis(result: "Result", scores: Sequence[float]) -> Axis:
    values = [result.monitor.value(score) for score in scores if math.isfinite(score)]
    falling = result.monitor.mode == "min"
    return Axis.of_scores(values, result.monitor.name, falling=falling)


def _steps_axis(result: "Result") -> Axis:
    return Axis(0.0, float(result.total_steps), "step")


def _at(result: "Result", x: float, score: float) -> Point:
    return (x, result.monitor.value(score))


def _shown(result: "Result", score: float) -> str:
    return f"{result.monitor.name} {result.monitor.text(score)}"

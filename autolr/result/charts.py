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

_FEW = 400  # steps at which a schedule is drawn


def rates_chart(result: "Result") -> str:
    """Draw the rounds in which several rates were compared, one colour each."""
    runs = (told for told in result.scores if not told.annealed)
    grouped = groupby(runs, key=lambda told: told.horizon)
    rounds = [tolds for _, each in grouped if len(tolds := list(each)) > 1]
    if not rounds:
        return "<p>none: there was nothing to choose from</p>"
    if not result.compared:
        return f"<p>none: no {escape(result.monitor.name)} was finite</p>"
    shown = [told for tolds in rounds for told in tolds]
    x = Axis.over([told.rate(result.total_steps) for told in shown], "rate", log=True)
    frame = Frame(x, _score_axis(result, [told.score for told in shown]))
    marks, keys = [], []
    for index, tolds in enumerate(rounds):
        colour = f"c{min(index, COLOURS - 1)}"
        marks.append(f'<g class="{colour}">{"".join(_compared(result, frame, tolds))}</g>')
        keys.append((colour, f"step {tolds[0].horizon}"))
    chart = frame.svg(*marks, label=f"{result.monitor.name} against the rate, by round")
    return chart + key(keys)


def run_chart(result: "Result") -> str:
    """Draw the run's curve, where it was put back, what was expected; nothing of a single score."""
    of_run = (told for told in result.scores if told.kept and not told.annealed)
    kept = [told for told in of_run if math.isfinite(told.score)]
    if len(kept) < 2:
        return ""
    fan = _fan(result)
    ends = [score for three in fan[-1:] for _, score in three]
    axis = _score_axis(result, [told.score for told in kept]).reaching(ends)
    frame = Frame(_steps_axis(result), axis, height=296)
    marks = [frame.upright(told.step, "back") for told in result.rollbacks]
    keys = [("c0", "the run")]
    if result.rollbacks:
        keys.append(("bad", "put back from here"))
    if fan:
        low, middle, high = zip(*fan, strict=True)
        marks += [frame.area(low, high, "band"), frame.line(middle, "guess")]
        keys.append(("", f"shaded: expected as of step {low[0][0]:.0f}, in 4 of 5 runs"))
    marks += [*_curve(result, frame, kept)]
    return frame.svg(*marks, label=f"{result.monitor.name} of the run over its steps") + key(keys)


def schedule_chart(result: "Result") -> str:
    """Draw the rate of the run over its steps."""
    steps = np.unique(np.linspace(0, result.total_steps - 1, _FEW).round().astype(int))
    values = result.schedule.values(result.total_steps)
    label = "times its scheduler" if result.own_peak is not None else "rate"
    if result.own_peak is None:
        values = values * result.run_peak
    frame = Frame(_steps_axis(result), Axis(0.0, 1.06 * float(values.max()), label), height=196)
    marks = [frame.upright(told.step, "back") for told in result.rollbacks]
    curve = frame.line(zip(steps.tolist(), values[steps].tolist(), strict=True), "run")
    return frame.svg(*marks, curve, label="the rate of the run over its steps")


def _compared(result: "Result", frame: Frame, told: Sequence[ProbeScore]) -> Iterator[str]:
    """Yield a round: a line over the rates of each rule, a dot each; diverged ones at the edge."""
    rising = sorted(told, key=lambda told: told.rate(result.total_steps))
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
    """Yield the curve of a run; where it was put back, the next line begins at the better score."""
    after = dict(run_scores(result.scores, result.rollbacks))
    bad = {told.step for told in result.rollbacks}
    line: list[Point] = []
    dots = []
    for told in kept:
        place = _at(result, told.horizon, told.score)
        line.append(place)
        if told.horizon in bad:
            yield frame.line(line, "run")
            line = [_at(result, told.horizon, after[told.horizon])]
        style = "bad" if told.horizon in bad else "c0 kept"
        dots.append(frame.dot(place, style, f"step {told.horizon}: {_shown(result, told.score)}"))
    yield frame.line(line, "run")
    yield from dots


def _fan(result: "Result") -> list[tuple[Point, Point, Point]]:
    """Return low edge, middle and high edge of what was expected after the forecast's origin."""
    curve = run_scores(result.scores, result.rollbacks)
    origin = forecast_origin(curve, result.total_steps)
    if origin is None or result.forecast is None:
        return []
    found = []
    for step in np.linspace(origin, result.total_steps, 25).tolist():
        forecast = expected_at(curve, result.total_steps, step)
        assert forecast is not None
        three = (forecast.low, forecast.loss, forecast.high)
        low, middle, high = (_at(result, step, score) for score in three)
        found.append((low, middle, high))
    return found


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

"""The charts of a study."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from autolr.candidate import Candidate
from autolr.drawing import Axis, Chart, Frame, Point
from autolr.errors import ConfigError
from autolr.report.curves import curve, thinned
from autolr.report.price import price_of, progress
from autolr.report.show import monitor_of
from autolr.report.statistics import cost_of, diverged
from autolr.report.table import cell_text
from autolr.study import Summary, TrialRecord

_POINTS = 12_000  # of all curves together: a page of about half a megabyte
_MANY = 60  # from so many trials on, lines hide each other and are drawn fainter
_FEW = 400  # steps at which a schedule is drawn: a chart has 720 pixels

_BRIGHT = ("c1", "c0", "c2", "c3")  # of the best trials, the best one first
_FATES = {  # the other trials by fate: styles of dot and line, and text of the key
    "COMPLETE": ("c4", "thin c4", "other complete trials"),
    "PRUNED": ("c4 faint", "pale c4", "pruned, or not finished"),
    "FAIL": ("bad", "pale bad", "diverged or failed"),
}


def curves_chart(study: Summary, folder: Path | None) -> Chart | None:
    """Return the metric of all trials over their steps, the best ones in colours.

    Args:
        study: The study.
        folder: Its results, see `curve`.
    """
    monitor, best = monitor_of(study), study.ranked[: len(_BRIGHT)]
    most = max(8, _POINTS // max(1, len(study.trials)))
    lines = {
        trial.number: thinned(curve(trial, monitor, folder), max(most, 200 * (trial in best)))
        for trial in study.trials
    }
    lines = {number: points for number, points in lines.items() if points}
    if not lines:
        return None
    bright = {trial.number: style for trial, style in zip(best, _BRIGHT, strict=False)}
    steps = "step" if study.fingerprint else "step, as it was reported"
    x = Axis(0.0, max(points[-1][0] for points in lines.values()) or 1.0, steps)
    frame = Frame(x, _curves_axis(study, lines, bright), height=356)
    others = [trial for trial in study.trials if trial.number in lines and trial not in best]
    styles = [(_line_style(trial, len(others)), trial.number) for trial in others]
    styles += [(f"line {bright[number]}", number) for number in reversed(bright)]
    drawn = frame.cut((style, lines[number]) for style, number in styles if number in lines)
    ends = [_end(frame, trial, lines[trial.number]) for trial in others]
    key = [(bright[trial.number], named(study, trial)) for trial in best]
    states = {_fate(trial) for trial in others}
    key += [(style, text) for fate, (style, _, text) in _FATES.items() if fate in states]
    return Chart(frame, (drawn, *ends), f"{monitor} of all trials over their steps", tuple(key))


def trial_schedule_chart(trial: TrialRecord) -> Chart | None:
    """Return a trial's schedule times its peak; None if the trial stored none."""
    candidate, total = followed_candidate(trial), int(trial.attrs.get("run_steps", 0))
    if candidate is None or total < 1:
        return None
    steps = np.unique(np.linspace(0, total - 1, _FEW).round().astype(int))
    values = candidate.schedule.values(total) * (candidate.peak or 1.0)
    top = 1.06 * float(values.max()) or 1.0
    name = "times the rule's own peak" if candidate.peak is None else "rate"
    name = name if candidate.rule == "fixed" else f"{name} (peak x schedule, for {candidate.rule})"
    frame = Frame(Axis(0.0, float(total), "step"), Axis(0.0, top, name), height=236)
    line = frame.line(zip(steps.tolist(), values[steps].tolist(), strict=True), "run")
    return Chart(frame, (line,), f"the rate of trial {trial.number} over its steps")


def progress_chart(study: Summary) -> Chart | None:
    """Return the best value so far over the steps of all trials; None without values or steps."""
    improvements, total = progress(study), price_of(study.trials).steps
    if not improvements or total < 1:
        return None
    name, falling = f"best {monitor_of(study)} so far", study.direction != "maximize"
    y = Axis.of_scores([value for _, value in improvements], name, falling=falling)
    frame = Frame(Axis(0.0, float(total), "steps of all trials"), y, height=276)
    edges = [*improvements, (total, improvements[-1][1])]
    stairs: list[Point] = [(float(edges[0][0]), edges[0][1])]
    for (_, before), (steps, value) in pairwise(edges):
        stairs += [(float(steps), before), (float(steps), value)]
    dots = (
        frame.dot((s, v), "c0 kept", f"{cell_text(v)} after {s:,} steps") for s, v in improvements
    )
    label = "the best value so far over the steps of all trials"
    return Chart(frame, (frame.line(stairs, "run"), *dots), label)


def front_chart(study: Summary) -> Chart | None:
    """Return the Pareto front among the complete trials; None without two objectives."""
    front, monitor = study.front, monitor_of(study)
    priced = [trial for trial in study.ranked if trial.cost is not None]
    if not front or not priced:
        return None
    x = Axis.over([trial.cost or 0.0 for trial in priced], cost_of(study) or "cost")
    values, falling = [trial.value or 0.0 for trial in priced], study.direction != "maximize"
    frame = Frame(x, Axis.of_scores(values, monitor, falling=falling), height=316)
    numbers = {trial.number for trial in front}
    places = [(trial.cost or 0.0, trial.value or 0.0) for trial in front]
    stairs = [places[0]]
    for (cost, _), place in pairwise(places):
        stairs += [(cost, place[1]), place]
    marks = [f'<g class="c0">{frame.line(stairs, "thin")}</g>']
    for trial in reversed(priced):
        style = "c0 kept" if trial.number in numbers else "c4 faint"
        title = f"{named(study, trial)}, {x.label} {cell_text(trial.cost)}"
        marks.append(frame.dot((trial.cost or 0.0, trial.value or 0.0), style, title))
    key = [("c0", "on the front: no other is better in both")]
    key += [("c4 hollow", "another one is better")] if len(numbers) < len(priced) else []
    return Chart(frame, tuple(marks), f"{monitor} against {x.label}", tuple(key))


def followed_candidate(trial: TrialRecord) -> Candidate | None:
    """Return the candidate that a trial trained; None if it stored none that can be read."""
    try:
        return Candidate.from_dict({**trial.attrs["found"]})
    except (KeyError, TypeError, ConfigError):
        return None


def named(study: Summary, trial: TrialRecord) -> str:
    """Return the number of a trial and its value, as text.

    Args:
        study: Its study.
        trial: The trial.
    """
    return f"trial {trial.number}: {monitor_of(study)} {cell_text(trial.value)}"


def _fate(trial: TrialRecord) -> str:
    if diverged(trial) or trial.state == "FAIL":
        return "FAIL"
    return "COMPLETE" if trial.state == "COMPLETE" else "PRUNED"


def _line_style(trial: TrialRecord, others: int) -> str:
    """Return the style of a trial that is not among the best, fainter where there are many."""
    style = _FATES[_fate(trial)][1]
    fainter = {"thin c4": "pale c4", "pale c4": "ghost c4", "pale bad": "pale bad"}
    return style if others <= _MANY else fainter[style]


def _end(frame: Frame, trial: TrialRecord, points: Sequence[Point]) -> str:
    """Return a dot at the end of a failed trial, or for a trial with a single value."""
    if _fate(trial) != "FAIL" and len(points) > 1:
        return ""
    title = f"trial {trial.number}: {trial.attrs.get('reason', trial.state.lower())}"
    return frame.dot(points[-1], _FATES[_fate(trial)][0], title)


def _curves_axis(
    study: Summary, lines: Mapping[int, Sequence[Point]], bright: Mapping[int, str]
) -> Axis:
    """Return an axis with the best trials and all final values, and other values nearby."""
    ends = {trial.number for trial in study.trials if trial.state == "COMPLETE"}
    shown = [value for number in bright for _, value in lines.get(number, ())]
    shown += [points[-1][1] for number, points in lines.items() if number in ends or not bright]
    rest = [value for points in lines.values() for _, value in points]
    falling = study.direction != "maximize"
    return Axis.of_scores(shown, monitor_of(study), falling=falling).reaching(rest)

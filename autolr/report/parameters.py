"""The score of each trial against each parameter, one small chart per parameter."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from autolr.drawing import Axis, Chart, Frame
from autolr.names import meaning
from autolr.predicates import is_number
from autolr.report.show import monitor_of
from autolr.report.statistics import score_of, varied
from autolr.report.table import cell_text
from autolr.space import label
from autolr.study import Summary, TrialRecord, sign_of

KEY = (
    ("c1", "the best"),
    ("c0 faint", "complete"),
    ("c4 hollow", "pruned or not finished: score of the last rung"),
    ("bad hollow", "diverged or failed"),
    ("", "at the edge: outside the chart"),
)

_CHARTS = 24  # more than a reader looks at
_CHOICES = 8  # on an axis: more have no room for a label each
_LETTERS = 46  # that fit below a chart: 304 of its 400 units
_SPREAD, _SKEW = 30.0, 5.0  # numbers are shown by ratios where no space says how, if the largest
#                             is so many times the smallest, and the median
_MANY = 150  # dots that would hide each other


@dataclass(frozen=True, slots=True)
class _Dot:
    """A trial with a value of the parameter, and a score: NaN if it diverged or failed."""

    trial: TrialRecord
    value: Any
    score: float


def parameter_charts(study: Summary) -> dict[str, Chart]:
    """Return a chart for each parameter that varies among trials with scores, at most `_CHARTS`.

    Parameters that most trials have come first.
    """
    dotted = {name: _dots(pairs) for name, pairs in varied(study).items()}
    drawn = {name: dots for name, dots in dotted.items() if _varies(dots)}
    names = sorted(drawn, key=lambda name: -len(drawn[name]))[:_CHARTS]
    return {name: _chart(study, name, drawn[name]) for name in names}


def _dots(pairs: Sequence[tuple[TrialRecord, Any]]) -> list[_Dot]:
    scored = (
        (trial, value, math.nan if trial.state == "FAIL" else score_of(trial))
        for trial, value in pairs
    )
    return [_Dot(trial, value, score) for trial, value, score in scored if score is not None]


def _varies(dots: Sequence[_Dot]) -> bool:
    several = len({str(dot.value) for dot in dots}) > 1
    return several and any(math.isfinite(dot.score) for dot in dots)


def _chart(study: Summary, name: str, dots: Sequence[_Dot]) -> Chart:
    sign, best = sign_of(study.direction), [trial.number for trial in study.ranked[:1]]
    final = [dot.score for dot in dots if dot.trial.value is not None]
    rest = [dot.score for dot in dots if dot.trial.value is None]
    y = Axis.of_scores(final or rest, monitor_of(study), falling=sign > 0).reaching(rest)
    worst = y.high if sign > 0 else y.low
    ordered = sorted(dots, key=lambda dot: _order(dot, sign))
    choices = _choices(study, name, ordered)
    x = _choice_axis(choices, name) if choices else _number_axis(study, name, dots)
    frame = Frame(x, y, height=236, width=400)
    marks, radius = [], 4.5 if len(dots) <= _MANY else 3.0
    for dot in reversed(ordered):  # the best on top
        if choices and dot.value not in choices:
            continue
        at = choices.index(dot.value) + _aside(dot) if choices else float(dot.value)
        lost = "failed" if dot.trial.state == "FAIL" else "diverged"
        score = cell_text(dot.score) if math.isfinite(dot.score) else lost
        title = f"trial {dot.trial.number}: {score} at {cell_text(dot.value)}"
        place = (at, dot.score if math.isfinite(dot.score) else worst)
        marks.append(frame.dot(place, _style(dot, best), title, radius))
    return Chart(frame, tuple(marks), f"{y.label} against {name}")


def _order(dot: _Dot, sign: int) -> tuple[bool, float]:
    score = sign * dot.score if math.isfinite(dot.score) else math.inf
    return (dot.trial.value is None, score)


def _style(dot: _Dot, best: Sequence[int]) -> str:
    if not math.isfinite(dot.score):
        return "bad"
    if dot.trial.value is None:
        return "c4 faint"
    return "c1 kept" if dot.trial.number in best else "c0 kept faint"


def _aside(dot: _Dot) -> float:
    """Return the offset of a dot from its choice, so that few dots hide another.

    Multiples of the golden ratio, modulo 1, spread evenly.
    """
    return 0.5 * (dot.trial.number * 0.618 % 1 - 0.5)


def _domain(study: Summary, name: str) -> Mapping[str, Any]:
    domain = study.fingerprint.get("space", {}).get(name, {})
    return domain if isinstance(domain, Mapping) else {}


def _choices(study: Summary, name: str, dots: Sequence[_Dot]) -> list[Any]:
    """Return the choices in the order of the space, the best if there are many; [] for ranges."""
    seen = list(dict.fromkeys(dot.value for dot in dots))  # the best first
    known = map(label, _domain(study, name).get("choices", []))
    given = [value for value in known if value in seen]
    numbers = all(map(is_number, seen))
    if numbers and not given:
        return []
    few = seen[:_CHOICES]
    return [value for value in given if value in few] or sorted(few, key=str)


def _choice_axis(choices: Sequence[Any], name: str) -> Axis:
    room = max(3, _LETTERS // len(choices) - 1)
    return Axis.of_choices([_short(str(choice), room) for choice in choices], name)


def _number_axis(study: Summary, name: str, dots: Sequence[_Dot]) -> Axis:
    values = [float(dot.value) for dot in dots]
    domain = _domain(study, name)
    wide = max(values) > max(_SPREAD * min(values), _SKEW * median(values))
    log = bool(domain.get("log", wide or meaning(name) == "lr")) and min(values) > 0
    return Axis.over(values, name, log=log)


def _short(text: str, room: int) -> str:
    return text if len(text) <= room else f"{text[: room - 1]}…"

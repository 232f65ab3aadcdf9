"""The tables of a study's page."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from autolr.counted import counted
from autolr.drawing.sheet import wide
from autolr.names import short
from autolr.report.price import price_of, run_steps
from autolr.report.rungs import Rung
from autolr.report.show import monitor_of, why
from autolr.report.statistics import cost_of, fates, score_of
from autolr.report.table import cell_text, chosen, params_text, spread_column
from autolr.study import SPREAD, Summary, TrialRecord

ROWS = 1000  # of the table of all trials: a page of 200 kB more
_COLUMNS = 8  # parameters with an own column: more do not fit on a page


def values_table(trial: TrialRecord) -> str:
    """Return a trial's parameters and its last logged metrics."""
    rows: list[tuple[str, object]] = [(name, value) for name, value in chosen(trial).items()]
    rows += [(f"{name} at the end", value) for name, value in _metrics(trial).items()]
    return _table(("parameter", f"trial {trial.number}"), rows, "short")


def leaders_table(study: Summary, trials: Sequence[TrialRecord]) -> str:
    """Return complete trials, each with its distance from the best.

    Args:
        study: The study.
        trials: Best first.
    """
    cost, params = cost_of(study), _columns(trials)
    behind = [] if cost is not None else ["behind"]
    priced = [] if cost is None else [cost]
    spread = spread_column(trials)
    columns = ["trial", monitor_of(study), *spread, *behind, *priced, *map(short, params)]
    rows = []
    for trial in trials:
        values = chosen(trial)
        gap = [
            gap_text(trial.value, trials[0].value) if trial.number != trials[0].number else "best"
        ]
        gap = gap if behind else []
        price = [trial.cost] if priced else []
        cells = [values.get(name) for name in params]
        apart = [trial.attrs.get(name) for name in spread]
        rows.append([trial.number, trial.value, *apart, *gap, *price, *cells])
    return _table(columns, rows)


def prices_table(study: Summary) -> str:
    """Return the price of the trials by fate, and of all trials."""
    rows: list[Sequence[object]] = []
    total, length = price_of(study.trials), run_steps(study)
    for fate, trials in {**fates(study), "all": study.trials}.items():
        paid = price_of(trials)
        steps = f"{paid.steps:,}" if paid.steps else ""
        share = f"{paid.steps / total.steps:.0%}" if paid.steps else ""
        runs = f"{paid.steps / length:.3g}" if paid.steps and length else ""
        time = time_text(paid.seconds) if paid.seconds else ""
        rows.append((fate, len(trials), steps, share, runs, time))
    return _table(("trials", "", "steps", "share", "whole runs", "training time"), rows)


def rungs_table(rungs: Sequence[Rung], monitor: str) -> str:
    """Return the trials judged and promoted at each rung of each bracket.

    Args:
        rungs: The rungs.
        monitor: The metric.
    """
    columns = ("bracket", "judged after", "judged", "promoted", f"best {monitor} there")
    rows: list[Sequence[object]] = []
    for rung in rungs:
        if rung.step is None:
            ran = f"{rung.passed} of {rung.judged} to the end"
            rows.append((rung.bracket, "never", "", ran, ""))
            continue
        share = f"{rung.passed} ({rung.passed / rung.judged:.0%})"
        rows.append((rung.bracket, counted(rung.step, "step", ","), rung.judged, share, rung.best))
    return _table(columns, rows)


def reasons_table(trials: Sequence[TrialRecord], files: Mapping[int, str]) -> str:
    """Return why trials failed or diverged, the most frequent reason first.

    Args:
        trials: The trials that did.
        files: The files with their tracebacks, by number.
    """
    counts = Counter(str(trial.attrs.get("reason", "not known")) for trial in trials)
    rows = []
    for reason, count in counts.most_common():
        own = [trial for trial in trials if str(trial.attrs.get("reason", "not known")) == reason]
        numbers = ", ".join(str(trial.number) for trial in own[:8]) + (", …" if count > 8 else "")
        file = next((files[trial.number] for trial in own if trial.number in files), "")
        rows.append((reason, own[0].state.lower(), count, numbers, file))
    return _table(("reason", "state", "trials", "which", "traceback"), rows)


def trials_list(study: Summary) -> str:
    """Return a row for each trial: complete ones best first, then the others by number."""
    best = study.ranked
    numbers = {trial.number for trial in best}
    trials = [*best, *(trial for trial in study.trials if trial.number not in numbers)][:ROWS]
    params = _columns(study.trials)
    rare = any(name not in params for trial in trials for name in chosen(trial))
    own = [cost] if (cost := cost_of(study)) not in (None, "steps", "seconds") else []
    own = [*spread_column(trials), *own]
    columns = ["trial", "state", monitor_of(study), *own, *map(short, params)]
    columns += [*(["other parameters"] if rare else []), "steps", "seconds", "why"]
    rows = [_row(trial, params, own, rare=rare) for trial in trials]
    head = "".join(_cell("th", name, "" if name != "why" else "text") for name in columns)
    body = "\n".join(rows)
    return f'<div class="wide all"><table><tr>{head}</tr>\n{body}</table></div>'


def gap_text(value: float | None, best: float | None) -> str:
    """Return the distance of a value from the best one, as text.

    Args:
        value: Of a trial.
        best: Of the best trial.

    >>> gap_text(0.0255, 0.025), gap_text(0.5, 0.0), gap_text(0.3, 0.3)
    ('2 %', '0.5', 'equal')
    """
    if value is None or best is None:
        return ""
    if value == best:
        return "equal"
    gap = abs(value - best)
    if best == 0 or gap >= 10 * abs(best):
        return f"{gap:.3g}"
    percent = 100 * gap / abs(best)
    return f"{percent:.0f} %" if percent >= 10 else f"{percent:.2g} %"


def _table(columns: Sequence[str], rows: Iterable[Sequence[object]], style: str = "") -> str:
    """Return a table, its first column left-aligned; a float that is not finite is "diverged"."""
    head = "".join(_cell("th", name, "" if k else "text") for k, name in enumerate(columns))
    lines = (
        "".join(_cell("td", cell, "" if k else "text") for k, cell in enumerate(row))
        for row in rows
    )
    body = "\n".join(f"<tr>{line}</tr>" for line in lines)
    opening = f'<table class="{style}">' if style else "<table>"
    return wide(f"{opening}<tr>{head}</tr>\n{body}</table>")


def time_text(seconds: float) -> str:
    """Return seconds as text with a suitable unit.

    >>> time_text(90.0), time_text(600.0), time_text(9000.0)
    ('90 s', '10 min', '2.5 h')
    """
    for size, unit, above in ((3600.0, "h", 7200.0), (60.0, "min", 120.0)):
        if seconds >= above:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"


def _row(trial: TrialRecord, params: Sequence[str], own: Sequence[str], *, rare: bool) -> str:
    values = chosen(trial)
    state = "stopped early" if trial.stopped else trial.state.lower()
    cells: list[object] = [trial.number, state, score_of(trial)]
    cells += [trial.attrs.get(SPREAD) if name == SPREAD else trial.cost for name in own]
    cells += [values.get(name) for name in params]
    others = {name: value for name, value in values.items() if name not in params}
    cells += [params_text(others)] if rare else []
    cells += [trial.attrs.get(name) for name in ("steps", "seconds")]
    opening = "<tr>" if trial.state == "COMPLETE" else '<tr class="rest">'
    reason = _cell("td", why(trial), "text why")
    return f"{opening}{''.join(_cell('td', cell) for cell in cells)}{reason}</tr>"


def _columns(trials: Sequence[TrialRecord]) -> list[str]:
    """Return the parameters that a quarter of the trials have, at most `_COLUMNS`."""
    counts = Counter(name for trial in trials for name in chosen(trial))
    return [name for name, count in counts.items() if 4 * count >= len(trials)][:_COLUMNS]


def _metrics(trial: TrialRecord) -> Mapping[str, Any]:
    return dict(trial.attrs.get("metrics", {}))


def _cell(tag: str, value: object, style: str = "") -> str:
    diverged = isinstance(value, float) and not math.isfinite(value)
    opening = f'{tag} class="{style}"' if style else tag
    return f"<{opening}>{escape('diverged' if diverged else cell_text(value))}</{tag}>"

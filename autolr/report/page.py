"""A study as one HTML page: its best trial, how sure that is, its price, and its charts."""

import re
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from shlex import quote

from autolr.config import BEST, OBJECTIVE, can_be_fitted
from autolr.counted import counted
from autolr.drawing import Chart
from autolr.drawing.sheet import document, facts, key
from autolr.names import meaning
from autolr.report import figures
from autolr.report.html_tables import (
    ROWS,
    gap_text,
    leaders_table,
    prices_table,
    reasons_table,
    rungs_table,
    time_text,
    trials_list,
    values_table,
)
from autolr.report.parameters import KEY, parameter_charts
from autolr.report.price import price_of, run_steps
from autolr.report.rungs import rungs
from autolr.report.show import heading, importance_line, monitor_of
from autolr.report.statistics import config_of, cost_of, diverged, fates, unrepeated
from autolr.report.table import cell_text, chosen
from autolr.study import Summary, TrialRecord, repeatable

_LEADERS = 6  # rows of the table of the best trials: enough to see how close the next are
_PARAMETER = "parameter_"  # prefix of the names of their charts
_BEST_OF = BEST + r"study {} \(trial {},"  # first line of best.yaml


def study_charts(study: Summary, results: Path | None) -> dict[str, Chart]:
    """Return the charts of a study by name, without empty ones.

    Args:
        study: The study.
        results: Its folder, with the trials' logs; None: there is none.
    """
    best = study.ranked[:1]
    charts = {
        "front": figures.front_chart(study),
        "schedule": figures.trial_schedule_chart(best[0]) if best else None,
        "curves": figures.curves_chart(study, results),
        "progress": figures.progress_chart(study),
    }
    drawn = {name: chart for name, chart in charts.items() if chart is not None}
    for name, chart in parameter_charts(study).items():
        drawn[f"{_PARAMETER}{name}"] = chart
    return drawn


def study_page(study: Summary, results: Path | None, charts: Mapping[str, Chart]) -> str:
    """Return the page of a study: a single file without links.

    Args:
        study: The study.
        results: Its folder, with the trials' logs; None: there is none.
        charts: From `study_charts`.
    """
    best = study.ranked
    parts = [
        f"<h1>{escape(_title(study, best))}</h1>",
        f"<p>{escape(heading(study).removeprefix(f'study {study.name!r}: '))}</p>",
        facts(_summary(study, best)),
        _best(best[0], results, study) if best else _nothing(study),
        _leaders(study, best, charts),
        _cost(study, results),
        _parameters(study, charts),
        _section(charts, "schedule", "The best schedule", _schedule_text(best[:1]), best),
        _section(charts, "curves", "Curves", _curves_text(study), best),
        _section(charts, "progress", "What the steps bought", _PROGRESS, best),
        _hyperband(study),
        _all(study),
    ]
    return document(f"autolr: {study.name}", parts)


_CURVES = (
    "the metric as trials logged it; at a rung, a trial is judged by the average of its last "
    "weights instead, which mostly scores better"
)
_PROGRESS = (
    "the best complete trial so far; the steps count all trials that had started by then in full, "
    "also those that were pruned later or failed"
)


def _curves_text(study: Summary) -> str:
    averaged = rungs(study) and OBJECTIVE not in config_of(study)  # others score as they like
    return _CURVES if averaged else ""


def _title(study: Summary, best: Sequence[TrialRecord]) -> str:
    if not best:
        return f"Study {study.name}"
    return f"Study {study.name}: {monitor_of(study)} {cell_text(best[0].value)}"


def _summary(study: Summary, best: Sequence[TrialRecord]) -> list[tuple[str, str, str]]:
    rows = []
    if best:
        better = "higher" if study.direction == "maximize" else "lower"
        note = f"trial {best[0].number}; {better} is better"
        rows.append((f"best {monitor_of(study)}", cell_text(best[0].value), note))
        rows += _peak(best[0])
    if len(best) > 1 and cost_of(study) is None:
        gap = gap_text(best[1].value, best[0].value)
        note = f"trial {best[1].number}: {cell_text(best[1].value)}"
        rows.append(("runner-up", gap if gap == "equal" else f"{gap} behind", note))
    return [*rows, *_paid(study)]


def _peak(trial: TrialRecord) -> list[tuple[str, str, str]]:
    candidate = figures.followed_candidate(trial)
    if candidate is None:
        return []
    rule = "" if candidate.rule == "fixed" else f"rule {candidate.rule}, "
    peak = "the rule's own" if candidate.peak is None else f"{candidate.peak:.4g}"
    return [("peak rate", peak, f"{rule}schedule {chosen(trial).get('schedule', 'below')}")]


def _paid(study: Summary) -> list[tuple[str, str, str]]:
    paid, length = price_of(study.trials), run_steps(study)
    least = "at least " if paid.unknown else ""
    steps = counted(paid.steps, "optimizer step", ",")
    runs = f"{paid.steps / length:.3g} whole runs" if length else counted(paid.steps, "step", ",")
    lengths = {trial.attrs["run_steps"] for trial in study.trials if "run_steps" in trial.attrs}
    note = "in the best run" if len(lengths) > 1 else "a run"
    rows = []
    if paid.steps:
        rows = [("price in all", runs, least + steps + (f", {length:,} {note}" if length else ""))]
    if paid.seconds:
        rows.append(("training time", time_text(paid.seconds), "of all trials, added up"))
    counts = (f"{len(trials)} {fate}" for fate, trials in fates(study).items())
    return [*rows, ("trials", str(paid.trials), ", ".join(counts))]


def _best(trial: TrialRecord, results: Path | None, study: Summary) -> str:
    file = None if results is None else results / "best.yaml"
    trained = repeatable(study.trials, study.direction, trial)
    if file is not None and _is_of(file, study, trained):
        name = escape(quote(file.as_posix()))
        train = f"<p>Train it:</p><pre>autolr fit {name}</pre>"
        if not can_be_fitted(config_of(study)):
            train = f"<p>Its settings are in <code>{name}</code>.</p>"
    elif "found" in trial.attrs:
        train = "<p>autolr tune writes best.yaml, to train it, when it ends; --out says where.</p>"
    else:
        train = ""
    if note := unrepeated(trial, trained):
        train += f"<p>{escape(note[0].upper() + note[1:])}.</p>"
    candidate = figures.followed_candidate(trial)
    schedule = "" if candidate is None else escape(_rounded(str(candidate.schedule)))
    line = f"<p>schedule: {schedule}</p>" if schedule else ""
    return f"<h2>The best</h2>{values_table(trial)}{line}{train}"


def _is_of(file: Path, study: Summary, trial: TrialRecord) -> bool:
    """Return whether a best.yaml is of this trial, not of one that was trained before."""
    if not file.is_file():  # reading a pipe may block
        return False
    try:
        with file.open(encoding="utf-8", errors="replace") as lines:
            first = lines.readline()
    except OSError:
        return False
    return re.match(_BEST_OF.format(re.escape(study.name), trial.number), first) is not None


def _nothing(study: Summary) -> str:
    stopped = sum(trial.stopped for trial in study.trials)
    note = "No trial is complete." if study.trials else "The study has no trials yet."
    note += f" {stopped} stopped early, before their rates were annealed." if stopped else ""
    return f"<h2>The best</h2><p>{note}</p>"


def _leaders(study: Summary, best: Sequence[TrialRecord], charts: Mapping[str, Chart]) -> str:
    if not best:
        return ""
    cost = cost_of(study)
    if cost is not None and "front" in charts:
        note = f"no other trial is better in both {monitor_of(study)} and {cost}"
        chart = charts["front"].html()
        table = leaders_table(study, study.front)
        return f"<h2>What to choose from</h2><p>{escape(note)}</p>{chart}{table}"
    if len(best) == 1:
        note = "It is the only complete trial: there is nothing to compare it with."
        return f"<h2>How sure</h2><p>{note}</p>"
    note = "Every trial ran once. A gap that another seed could cause decides nothing."
    return f"<h2>How sure</h2><p>{note}</p>{leaders_table(study, best[:_LEADERS])}"


def _cost(study: Summary, results: Path | None) -> str:
    """Return the table of prices, and of the reasons of failed trials."""
    if not study.trials:
        return ""
    missing = price_of(study.trials).unknown
    trials = counted(missing, "trial")
    note = f"Some steps of {trials} that failed, were interrupted or still run are not known."
    if not study.fingerprint:
        note = "The study was not made by autolr: it has no optimizer steps."
    bad = [trial for trial in study.trials if trial.state == "FAIL" or diverged(trial)]
    wrong = "<h3>What went wrong</h3>" + reasons_table(bad, _tracebacks(bad, results))
    return (
        f"<h2>What it cost</h2>{prices_table(study)}{note if missing else ''}{wrong if bad else ''}"
    )


def _tracebacks(trials: Sequence[TrialRecord], results: Path | None) -> dict[int, str]:
    if results is None:
        return {}
    files = {trial.number: results / f"trial_{trial.number}" / "error.txt" for trial in trials}
    return {number: file.as_posix() for number, file in files.items() if file.is_file()}


def _parameters(study: Summary, charts: Mapping[str, Chart]) -> str:
    shown = [chart for name, chart in charts.items() if name.startswith(_PARAMETER)]
    if not shown:
        return ""
    cells = "".join(f"<div>{chart.html()}</div>" for chart in shown)
    line = importance_line(study)
    shares = "" if line is None else f"<p>{escape(line)}</p>"
    return f'<h2>What mattered</h2>{shares}{key(KEY)}<div class="pairs">{cells}</div>'


def _section(
    charts: Mapping[str, Chart], name: str, title: str, note: str, best: Sequence[TrialRecord]
) -> str:
    if name not in charts:
        return ""
    text = note.format(best[0].number) if best else note
    return f"<h2>{title}</h2><p>{escape(text)}</p>{charts[name].html()}"


def _schedule_text(best: Sequence[TrialRecord]) -> str:
    searched = any(
        meaning(name) == "lr" and value != "online"
        for trial in best
        for name, value in trial.params.items()
    )
    if searched:
        return "the schedule of trial {}"
    return "the peak of trial {} times its schedule, without later changes in its run"


def _hyperband(study: Summary) -> str:
    judged = rungs(study)
    if not judged:
        return ""
    note = "at each rung the better trials were promoted; the others cost no further steps"
    return f"<h2>Hyperband</h2><p>{note}</p>{rungs_table(judged, monitor_of(study))}"


def _all(study: Summary) -> str:
    if not study.trials:
        return ""
    lines = "the score of an unfinished trial is that of its last rung"
    if any(trial.stopped for trial in study.trials):
        lines += ", or of the end of a run that stopped early, which compares with no other"
    if len(study.trials) > ROWS:
        lines += f"; here are {ROWS} of {len(study.trials)}, all are in trials.csv"
    return f"<h2>All trials</h2><p>{lines}</p>{trials_list(study)}"


def _rounded(text: str) -> str:
    return re.sub(r"\d+\.\d{4,}(e-?\d+)?", lambda match: f"{float(match[0]):.3g}", text)

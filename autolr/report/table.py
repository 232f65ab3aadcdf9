"""A study's trials as tables on the console, and how values are shown everywhere."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.box import SIMPLE
from rich.table import Table

from autolr.names import plain, short
from autolr.report.fitting_table import FittingTable
from autolr.report.value_text import plain_text
from autolr.study import SEARCHES, SPREAD, TrialRecord


def best_table(trials: Sequence[TrialRecord], monitor: str) -> FittingTable:
    """Return the trials as rows, in the given order: score, candidate, price.

    The table also has the first three other metrics that validation logs. On a narrow terminal
    the price is left out first, then those metrics, then the last parameters.

    Args:
        trials: Finished trials.
        monitor: The metric of their values.
    """
    logged = [name for trial in trials for name in trial.attrs.get("metrics", {})]
    metrics = [name for name in dict.fromkeys(logged) if name != monitor][:3]
    params = list(dict.fromkeys(name for trial in trials for name in chosen(trial)))
    names = [short(name) for name in params]
    spread = spread_column(trials)
    columns = ["trial", monitor, *spread, *metrics, *names, "steps", "seconds"]
    rows = []
    for trial in trials:
        values = trial.attrs.get("metrics", {})
        cells: list[object] = [trial.number, trial.value, *(trial.attrs.get(n) for n in spread)]
        cells += [values.get(name) for name in metrics]
        cells += [chosen(trial).get(name) for name in params]
        cells += [trial.attrs.get("steps"), trial.attrs.get("seconds")]
        rows.append([cell_text(cell) for cell in cells])
    own = 2 + len(spread)
    first, end = own + len(metrics), own + len(metrics) + len(params)
    expendable = [end + 1, end, *range(first - 1, own - 1, -1), *range(end - 1, first - 1, -1)]
    return FittingTable(columns, rows, expendable, "trials.csv has all")


def spread_column(trials: Iterable[TrialRecord]) -> list[str]:
    """Return the name of the column with the spread over seeds; [] where trials have one seed."""
    return [SPREAD] if any(SPREAD in trial.attrs for trial in trials) else []


def chosen(trial: TrialRecord) -> dict[str, Any]:
    """Return a trial's parameters; ``lr`` is the peak that an online search chose.

    ``lr.X`` is called ``lr``, and ``schedule.X`` is called ``schedule``; it is "online" where that
    search followed a schedule of its own. None, as a choice, is "null": it is not absent.
    """
    params = {plain(name): _or_null(value) for name, value in trial.params.items()}
    searched = trial.attrs.get(SEARCHES)
    if isinstance(searched, list) and "schedule" in searched:
        params = {"schedule": "online", **params}
    peak = ours(trial, "found").get("peak")
    if peak is None or params.get("lr", "online") != "online":
        return params
    return {"lr": peak} | {name: value for name, value in params.items() if name != "lr"}


def ours(trial: TrialRecord, name: str) -> Mapping[str, Any]:
    """Return an attribute that is a mapping; empty where another tool stored something else.

    Args:
        trial: The trial.
        name: The attribute's.
    """
    value = trial.attrs.get(name)
    return value if isinstance(value, Mapping) else {}


def brackets_table(rows: Sequence[tuple[int, tuple[int, ...], float]]) -> Table:
    """Return Hyperband's brackets: the steps at which trials are judged, and their share."""
    table = Table("bracket", "judged after steps", "share of trials", box=SIMPLE, pad_edge=False)
    for number, rungs, share in rows:
        table.add_row(str(number), ", ".join(map(str, rungs)) or "never", f"{share:.0%}")
    return table


def params_text(params: Mapping[str, Any]) -> str:
    """Return parameters in one line; a dotted path is shortened to its last name.

    >>> params_text({"lr": 0.00123456, "schedule": "wsd", "model.init_args.hidden": 16})
    'lr=0.001235 schedule=wsd hidden=16'
    >>> params_text({"dropout": None})
    'dropout=null'
    """
    texts = ((short(name), cell_text(_or_null(value))) for name, value in params.items())
    return " ".join(f"{name}={text}" for name, text in texts)


def _or_null(value: object) -> object:
    return "null" if value is None else value


def cell_text(value: object) -> str:
    """Return the text of a cell: four digits of a float, nothing for None, a mapping in short."""
    if value is None:
        return ""
    if isinstance(value, str | list | dict):
        return plain_text(value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)

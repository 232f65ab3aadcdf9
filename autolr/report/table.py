"""A study's trials as tables, for people and for pandas."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from rich.box import SIMPLE
from rich.table import Table

from autolr.disk import csv_cell, write_whole, written
from autolr.errors import ConfigError
from autolr.names import plain, short

if TYPE_CHECKING:
    import pandas as pd

_SHARED = ["candidate", "bracket", "steps", "stopped_at", "seconds", "reason"]  # attributes
_FIRST = ["number", "state", "value", "peak", *_SHARED]


class TrialLike(Protocol):
    """What is read of a trial."""

    @property
    def number(self) -> int:
        """Counted from 0."""

    @property
    def state(self) -> str:
        """Optuna's name of its state."""

    @property
    def value(self) -> float | None:
        """The final score; None unless complete."""

    @property
    def params(self) -> Mapping[str, Any]:
        """What the sampler chose."""

    @property
    def attrs(self) -> Mapping[str, Any]:
        """What the run left behind: steps, seconds, metrics, candidate, reason."""


def stopped_early(trial: TrialLike) -> bool:
    """Return whether a trial's run ended by itself before its planned length."""
    return trial.state == "PRUNED" and "stopped_at" in trial.attrs


def trials_frame(trials: Sequence[TrialLike]) -> "pd.DataFrame":
    """Return one row a trial.

    After the columns that all studies share come the parameters by their names in the space,
    then every metric as the run logged it last; one that is called like a column before it is
    prefixed with ``metric.``. ``stopped_at`` has the steps after which a run ended before its
    planned length.
    """
    import pandas as pd  # here: a complete study is recognized faster than pandas is imported

    rows = _rows(trials)
    frame = pd.DataFrame(rows)
    return frame if rows else pd.DataFrame(columns=_FIRST)


def trials_csv(trials: Sequence[TrialLike]) -> str:
    """Return `trials_frame` as a .csv file, without pandas; no cell is taken for a formula."""
    rows = [{csv_cell(k): csv_cell(v) for k, v in row.items()} for row in _rows(trials)]
    columns = list(dict.fromkeys(name for row in rows for name in row) or _FIRST)
    return "".join(map(_csv_line, [columns, *([row.get(c) for c in columns] for row in rows)]))


def _csv_line(cells: Sequence[object]) -> str:
    text = io.StringIO()
    csv.writer(text).writerow(cells)  # it quotes what is in its own line end, of two characters
    return text.getvalue().removesuffix("\r\n") + "\n"


def _rows(trials: Sequence[TrialLike]) -> list[dict[str, Any]]:
    rows = []
    for trial in trials:
        row = {"number": trial.number, "state": trial.state, "value": trial.value}
        row["peak"] = _mapping(trial, "found").get("peak")
        row |= {name: trial.attrs.get(name) for name in _SHARED} | dict(trial.params)
        for name, value in _mapping(trial, "metrics").items():
            row[f"metric.{name}" if name in row else name] = value
        rows.append(row)
    return rows


def best_table(trials: Sequence[TrialLike], monitor: str) -> Table:
    """Return the trials as rows, in the given order: score, candidate, price.

    Of the other metrics, the first three that validation logs are shown.
    """
    logged = [name for trial in trials for name in trial.attrs.get("metrics", {})]
    metrics = [name for name in dict.fromkeys(logged) if name != monitor][:3]
    params = list(dict.fromkeys(name for trial in trials for name in chosen(trial)))
    names = [short(name) for name in params]
    columns = ["trial", monitor, *metrics, *names, "steps", "seconds"]
    table = Table(box=SIMPLE, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")  # on a narrow terminal nothing is left out
    for trial in trials:
        values = trial.attrs.get("metrics", {})
        cells: list[object] = [trial.number, trial.value]
        cells += [values.get(name) for name in metrics]
        cells += [chosen(trial).get(name) for name in params]
        cells += [trial.attrs.get("steps"), trial.attrs.get("seconds")]
        table.add_row(*(cell_text(cell) for cell in cells))
    return table


def chosen(trial: TrialLike) -> dict[str, Any]:
    """Return a trial's parameters; a peak that was found inside the trial stands for ``lr``.

    ``lr.X`` is shown as ``lr``, ``schedule.X`` as ``schedule``.
    """
    params = {plain(name): value for name, value in trial.params.items()}
    peak = _mapping(trial, "found").get("peak")
    if peak is None or params.get("lr", "online") != "online":
        return params
    return {"lr": peak} | {name: value for name, value in params.items() if name != "lr"}


def _mapping(trial: TrialLike, name: str) -> Mapping[str, Any]:
    """Return an attribute of ours; of another tool's study it may be anything."""
    value = trial.attrs.get(name)
    return value if isinstance(value, Mapping) else {}


def brackets_table(rows: Sequence[tuple[int, tuple[int, ...], float]]) -> Table:
    """Return Hyperband's brackets: the steps at which trials are judged, and their share."""
    table = Table("bracket", "judged after steps", "share of trials", box=SIMPLE, pad_edge=False)
    for number, rungs, share in rows:
        table.add_row(str(number), ", ".join(map(str, rungs)) or "never", f"{share:.0%}")
    return table


def describe(params: Mapping[str, Any]) -> str:
    """Return parameters in one line; a dotted path is shortened to its last name.

    >>> describe({"lr": 0.00123456, "schedule": "wsd", "model.init_args.hidden": 16})
    'lr=0.001235 schedule=wsd hidden=16'
    """
    return " ".join(f"{short(name)}={cell_text(value)}" for name, value in params.items())


def cell_text(value: object) -> str:
    """Return a cell of a table: four digits of a number, nothing of None."""
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def write_trials(trials: Sequence[TrialLike], file: Path) -> None:
    """Write one row a trial, see `trials_frame`, in the format that the file's suffix names.

    Raises:
        ConfigError: If it is neither .csv nor .parquet, cannot be written, or pyarrow, which writes
            the latter, is not installed.
        StorageError: If the disk is full or broken.
    """
    if file.suffix not in (".csv", ".parquet"):
        raise ConfigError.of("to", str(file), "a file that ends in .csv or .parquet")
    content = trials_csv(trials) if file.suffix == ".csv" else _parquet(trials)
    with written("to", file, "a file that can be written"):
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, content)


def _parquet(trials: Sequence[TrialLike]) -> bytes:
    buffer = io.BytesIO()
    try:
        trials_frame(trials).to_parquet(buffer, index=False)
    except ImportError:
        raise ConfigError(
            "to: .parquet needs pyarrow: pip install 'lightning-autolr[parquet]'"
        ) from None
    except (TypeError, ValueError) as error:  # pyarrow's: a column of numbers and text
        why = str(error).splitlines()[0]
        raise ConfigError(f"to: .parquet cannot hold these trials, .csv can: {why}") from None
    return buffer.getvalue()

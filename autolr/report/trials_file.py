"""A study's trials as a file or a data frame, one row a trial."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autolr.atomic import write_atomically
from autolr.disk import csv_cell, written
from autolr.errors import ConfigError
from autolr.extras import install_command
from autolr.report.table import ours
from autolr.study import SPREAD, TrialRecord

if TYPE_CHECKING:
    import pandas as pd

_SHARED = ["candidate", "bracket", "steps", "stopped_at", "seconds", "reason"]  # attributes
_FIRST = ["number", "state", "value", "peak", *_SHARED]


def trials_frame(trials: Sequence[TrialRecord]) -> "pd.DataFrame":
    """Return one row per trial.

    The columns are those that all studies share, the parameters by their names in the space, and
    the last logged value of every metric; a metric with the name of an earlier column gets the
    prefix ``metric.``. ``spread`` has, in a study with several seeds, the sample standard deviation
    of a trial's runs. ``stopped_at`` has the steps after which a run ended before its planned
    length.
    """
    import pandas as pd  # here: pandas takes longer to import than a finished study to print

    rows = _rows(trials)
    frame = pd.DataFrame(rows)
    return frame if rows else pd.DataFrame(columns=_FIRST)


def trials_csv(trials: Sequence[TrialRecord]) -> str:
    """Return `trials_frame` as text of a .csv file, without pandas and without formulas."""
    rows = [{csv_cell(k): csv_cell(v) for k, v in row.items()} for row in _rows(trials)]
    columns = list(dict.fromkeys(name for row in rows for name in row) or _FIRST)
    return "".join(map(_csv_line, [columns, *([row.get(c) for c in columns] for row in rows)]))


def write_trials(trials: Sequence[TrialRecord], file: Path) -> None:
    """Write `trials_frame` in the format that the file's suffix names.

    Args:
        trials: Trials of one study.
        file: A .csv or .parquet file; its folder is created.

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
        write_atomically(file, content)


def _csv_line(cells: Sequence[object]) -> str:
    text = io.StringIO()
    csv.writer(text).writerow(cells)  # it quotes what is in its own line end, of two characters
    return text.getvalue().removesuffix("\r\n") + "\n"


def _rows(trials: Sequence[TrialRecord]) -> list[dict[str, Any]]:
    rows = []
    several = any(SPREAD in trial.attrs for trial in trials)
    for trial in trials:
        row = {"number": trial.number, "state": trial.state, "value": trial.value}
        row |= {SPREAD: trial.attrs.get(SPREAD)} if several else {}
        row["peak"] = ours(trial, "found").get("peak")
        row |= {name: trial.attrs.get(name) for name in _SHARED} | dict(trial.params)
        for name, value in ours(trial, "metrics").items():
            row[f"metric.{name}" if name in row else name] = value
        rows.append(row)
    return rows


def _parquet(trials: Sequence[TrialRecord]) -> bytes:
    buffer = io.BytesIO()
    try:
        trials_frame(trials).to_parquet(buffer, index=False)
    except ImportError:
        install = install_command("pyarrow")
        raise ConfigError(f"to: .parquet needs pyarrow: {install}") from None
    except (TypeError, ValueError) as error:  # pyarrow's: a column of numbers and text
        why = str(error).splitlines()[0]
        raise ConfigError(f"to: .parquet cannot hold these trials, .csv can: {why}") from None
    return buffer.getvalue()

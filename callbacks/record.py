"""A logger that writes one line of JSON a step."""

import json
import math
from argparse import Namespace
from pathlib import Path
from typing import IO, Any

from typing_extensions import override

from autolr.atomic import write_atomically
from autolr.callbacks.namespaces import Logger, rank_zero_only

_FLUSH_EVERY = 100  # lines that may be lost when the process is killed


class JsonLines(Logger):
    """Appends what is logged to ``FOLDER/metrics.jsonl``; for pandas, ``read_json(lines=True)``.

    Args:
        folder: The folder; it is created.
        resumed: Optimizer step from which the run continues: lines from there on are dropped, they
            are of a run that was cut. 0: the file is begun anew.
    """

    def __init__(self, folder: str | Path, resumed: int = 0) -> None:
        super().__init__()
        self._folder = Path(folder)
        self._resumed = resumed
        self._file: IO[str] | None = None
        self._lines = 0

    @property
    @override
    def name(self) -> str:
        return ""

    @property
    @override
    def version(self) -> str:
        return ""

    @property
    @override
    def save_dir(self) -> str:
        return str(self._folder)

    @override
    def log_hyperparams(self, params: dict[str, Any] | Namespace, *_: Any, **__: Any) -> None:
        """Keep nothing: a trial's parameters are in the study."""

    @override
    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        if self._file is None:
            self._file = self._open()
        plain = {name: float(value) for name, value in metrics.items()}
        line = {"step": step, **{k: v if math.isfinite(v) else None for k, v in plain.items()}}
        self._file.write(json.dumps(line) + "\n")
        self._lines += 1
        if self._lines % _FLUSH_EVERY == 0:
            self._file.flush()

    @override
    @rank_zero_only
    def save(self) -> None:
        if self._file is not None:
            self._file.flush()

    @override
    @rank_zero_only
    def finalize(self, status: str) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self) -> IO[str]:
        """Open the file behind the last line that counts."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / "metrics.jsonl"
        kept = [line for line in _lines(path) if _step(line) < self._resumed]
        write_atomically(path, "".join(kept))
        return path.open("a", encoding="utf-8")


def _lines(path: Path) -> list[str]:
    return path.read_text("utf-8").splitlines(keepends=True) if path.exists() else []


def _step(line: str) -> float:
    try:
        return float(json.loads(line)["step"] or 0)
    except (ValueError, KeyError, TypeError):  # cut in the middle
        return math.inf

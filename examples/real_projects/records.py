"""What is kept of a run: a line of JSON."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

TRAINED, REFUSED, FAILED = "trained", "refused", "failed"  # outcomes
OWN, ONE, AUTOLR, LR_FIND = METHODS = ("own", "one candidate", "autolr", "lr_find")
AGAIN = "own again"  # where the run with one candidate differs: are the project's own runs equal?


@dataclass(frozen=True)
class Record:
    """One run.

    Attributes:
        project: What was trained.
        method: How its rate was chosen.
        seed: Of the run.
        steps: Optimizer steps of the run.
        metric: What ``score`` is.
        outcome: "trained"; "refused" by autolr before the first step; "failed" by an exception.
        words: The message of the error, else what autolr warned of.
        score: The last value of the metric.
        digest: A hash of the weights and buffers.
        peak: The rate that the method chose.
        price: Steps made over those of the run.
        seconds: Wall time.
        mode: "min" where a lower score is better, else "max".
    """

    project: str
    method: str
    seed: int
    steps: int
    metric: str
    outcome: str
    words: str = ""
    score: float | None = None
    digest: str | None = None
    peak: float | None = None
    price: float | None = None
    seconds: float = 0.0
    mode: str = "min"

    @property
    def job(self) -> tuple[str, str, int]:
        """What was run, whatever came of it."""
        return self.project, self.method, self.seed


def append(path: Path, record: Record) -> None:
    """Add a line to a file, which is made if missing."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(record)) + "\n")


def load(folder: Path) -> list[Record]:
    """Return all records of a folder; of a job that was run again the last one."""
    lines = (
        line
        for path in sorted(folder.glob("*.jsonl"))
        for line in path.read_text(encoding="utf-8").splitlines(keepends=True)
        if line.endswith("\n")  # else its writer was killed
    )
    latest: dict[tuple[str, str, int], Record] = {}
    for record in (Record(**json.loads(line)) for line in lines):
        latest[record.job] = record
    return list(latest.values())


def of_project(records: Iterable[Record], project: str) -> list[Record]:
    """Return those of one project."""
    return [record for record in records if record.project == project]

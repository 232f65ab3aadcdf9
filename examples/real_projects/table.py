"""The table: who attaches, who stays bit-identical, and where each method ends."""

from collections.abc import Sequence
from statistics import mean

from rich.table import Table

from examples.real_projects.records import (
    AGAIN,
    AUTOLR,
    FAILED,
    LR_FIND,
    ONE,
    OWN,
    REFUSED,
    TRAINED,
    Record,
    of_project,
)

HEADERS = ("project", "attached", "identical", "own rate", "AutoLR()", "lr_find", "metric")


def rows(
    records: Sequence[Record], projects: Sequence[str], *, ranges: bool = False
) -> list[tuple[str, ...]]:
    """Return the cells of each project that has records.

    Args:
        records: All that were run.
        projects: Those to show, in this order.
        ranges: Whether a score has its range over seeds beside the mean.
    """
    return [_row(p, known, ranges) for p in projects if (known := of_project(records, p))]


def notes(records: Sequence[Record], projects: Sequence[str]) -> list[str]:
    """Return each different message of a project as a line: errors, then warnings.

    Args:
        records: All that were run.
        projects: Those to show, in this order.
    """
    lines = [
        f"{project}: {record.outcome}: {record.words}"
        for project in projects
        for outcome in (REFUSED, FAILED, TRAINED)
        for record in of_project(records, project)
        if record.words and record.outcome == outcome
    ]
    return list(dict.fromkeys(lines))


def rich_table(cells: Sequence[tuple[str, ...]]) -> Table:
    """Return the table for a terminal; where it is narrow, only the metric's name breaks."""
    made = Table(*HEADERS, box=None)
    for column in made.columns[:-1]:
        column.no_wrap = True
    made.columns[-1].overflow = "fold"
    for line in cells:
        made.add_row(*line)
    return made


def markdown(cells: Sequence[tuple[str, ...]]) -> str:
    """Return the table for a README."""
    lines = [HEADERS, ("---",) * len(HEADERS), *cells]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def attached(records: Sequence[Record]) -> str:
    """Return whether every run with a search attached, else what came instead."""
    searched = [record.outcome for record in records if record.method in (ONE, AUTOLR)]
    for outcome in (FAILED, REFUSED):
        if outcome in searched:
            return outcome
    return "yes" if searched else ""


def identical(records: Sequence[Record]) -> str:
    """Return whether the runs with one candidate end with the weights of those without a search.

    "not repeatable": the project's own runs differ from one another.
    """
    digests = {(record.method, record.seed): record.digest for record in records}
    pairs = [
        (digests.get((OWN, seed)), digests.get((AGAIN, seed)), one)
        for (method, seed), one in digests.items()
        if method == ONE
    ]
    if not pairs or any(None in (own, one) for own, _, one in pairs):
        return ""
    if all(own == one for own, _, one in pairs):
        return "yes"
    same = all(again in (None, own) for own, again, _ in pairs)
    return "no" if same else "not repeatable"


def _row(project: str, records: Sequence[Record], ranges: bool) -> tuple[str, ...]:
    by_method = [[r for r in records if r.method == method] for method in (OWN, AUTOLR, LR_FIND)]
    finals = [_final(runs, ranges) for runs in by_method]
    return (project, attached(records), identical(records), *finals, records[0].metric)


def _final(records: Sequence[Record], ranges: bool) -> str:
    """Return the mean score over seeds, with its range or without."""
    scores = [record.score for record in records if record.score is not None]
    if not scores:
        return records[0].outcome if records else ""
    shown = f"{mean(scores):.4g}"
    return f"{shown} ({min(scores):.4g} to {max(scores):.4g})" if ranges else shown

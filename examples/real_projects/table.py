"""The table: who attaches, who stays bit-identical, and where each method ends."""

from collections import Counter
from collections.abc import Sequence
from statistics import mean

from rich.table import Table

from examples.harm import Harm
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

_NARROW = ("project", "attached", "identical", "own rate", "AutoLR()", "lr_find", "verdict")
HEADERS = (*_NARROW, "paired difference", "price", "metric")


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


def harm(records: Sequence[Record]) -> Harm | None:
    """Return AutoLR's finals against those at the project's own rate, over the seeds of both.

    Args:
        records: Of one project.
    """
    own, ours = (
        {r.seed: r.score for r in records if r.method == method and r.score is not None}
        for method in (OWN, AUTOLR)
    )
    seeds = sorted(own.keys() & ours.keys())
    if not seeds:
        return None
    first = records[0]
    pairs = [ours[seed] for seed in seeds], [own[seed] for seed in seeds]
    return Harm.of(first.project, *pairs, mode=first.mode)


def tally(records: Sequence[Record], projects: Sequence[str]) -> str:
    """Return in how many projects AutoLR ends better, equal and worse; empty if none is known.

    Args:
        records: All that were run.
        projects: Those to count.
    """
    harms = filter(None, (harm(of_project(records, project)) for project in projects))
    counts = Counter(one.verdict for one in harms)
    parts = (f"{counts[verdict]} {verdict}" for verdict in ("better", "equal", "worse"))
    return f"AutoLR() against the own rate: {', '.join(parts)}" if counts else ""


def metrics(records: Sequence[Record], projects: Sequence[str]) -> list[str]:
    """Return a line for each metric, with the projects that have it.

    Args:
        records: All that were run.
        projects: Those to show, in this order.
    """
    better = {"min": "lower", "max": "higher"}
    names: dict[str, list[str]] = {}
    for project in projects:
        if known := of_project(records, project):
            line = f"{known[0].metric}, {better[known[0].mode]} is better"
            names.setdefault(line, []).append(project)
    return [f"{line}: {', '.join(of)}" for line, of in names.items()]


def rich_table(cells: Sequence[tuple[str, ...]]) -> Table:
    """Return the table for a terminal, within 80 columns: numbers and names stay whole.

    What it leaves out is in `metrics` and `markdown`.
    """
    made = Table(*_NARROW, box=None, padding=(0, 1, 0, 0), pad_edge=False)
    for column in made.columns:
        column.no_wrap = column.header != "identical"  # it may say two words
    for line in cells:
        made.add_row(*line[: len(_NARROW)])
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
    compared = harm(records)
    verdict = (compared.verdict, compared.paired_difference) if compared else ("", "")
    rest = *verdict, _price(by_method[1]), records[0].metric
    return (project, attached(records), identical(records), *finals, *rest)


def _price(records: Sequence[Record]) -> str:
    """Return the highest price of a run."""
    prices = [record.price for record in records if record.price is not None]
    return f"{max(prices):.3g}" if prices else ""


def _final(records: Sequence[Record], ranges: bool) -> str:
    """Return the mean score over seeds, with its range or without."""
    scores = [record.score for record in records if record.score is not None]
    if not scores:
        return records[0].outcome if records else ""
    shown = f"{mean(scores):.4g}"
    return f"{shown} ({min(scores):.4g} to {max(scores):.4g})" if ranges else shown

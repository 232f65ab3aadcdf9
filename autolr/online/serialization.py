"""What is on record of a search, as plain JSON values and back."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from autolr.candidate import Candidate
from autolr.online.records import AveragedEnd, CopyRecord, ProbeScore, RollbackRecord


def scores_to_list(scores: Sequence[ProbeScore]) -> list[dict[str, Any]]:
    """Return each score as plain JSON values, which know no infinity."""
    return [
        {
            "candidate": scored.candidate.to_dict(),
            "start": scored.start,
            "horizon": scored.horizon,
            "score": repr(scored.score),
            "kept": scored.kept,
            "annealed": scored.annealed,
            "forecast": scored.forecast,
        }
        for scored in scores
    ]


def scores_from_list(rows: Sequence[Mapping[str, Any]]) -> tuple[ProbeScore, ...]:
    """Return the scores that `scores_to_list` described."""
    return tuple(
        ProbeScore(
            Candidate.from_dict(row["candidate"]),
            row["start"],
            row["horizon"],
            float(row["score"]),
            row["kept"],
            row.get("annealed", False),
            row.get("forecast", False),
        )
        for row in rows
    )


def rollbacks_to_list(rollbacks: Sequence[RollbackRecord]) -> list[dict[str, Any]]:
    """Return each rollback as plain JSON values."""
    return [{**asdict(made), "score": repr(made.score)} for made in rollbacks]


def rollbacks_from_list(rows: Sequence[Mapping[str, Any]]) -> tuple[RollbackRecord, ...]:
    """Return the rollbacks that `rollbacks_to_list` described."""
    return tuple(
        RollbackRecord(row["step"], row["to"], row["factor"], float(row["score"])) for row in rows
    )


def copies_to_list(records: Sequence[CopyRecord]) -> list[dict[str, Any]]:
    """Return each record of copies as plain JSON values."""
    return [{**asdict(record), "ended": list(record.ended)} for record in records]


def copies_from_list(rows: Sequence[Mapping[str, Any]]) -> tuple[CopyRecord, ...]:
    """Return the records that `copies_to_list` described."""
    return tuple(CopyRecord(**{**row, "ended": tuple(row["ended"])}) for row in rows)


def end_to_dict(averaged: AveragedEnd | None) -> dict[str, Any] | None:
    """Return the record of how a run ended as plain JSON values; None stays None."""
    return None if averaged is None else {**asdict(averaged), "last": repr(averaged.last)}


def end_from_dict(row: Mapping[str, Any] | None) -> AveragedEnd | None:
    """Return the record that `end_to_dict` described."""
    if row is None:
        return None
    return AveragedEnd(row["window"], row["score"], float(row["last"]))

"""A `Search` as plain JSON values and back."""

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from autolr.candidate import Candidate
from autolr.online.rounds import Round
from autolr.online.search import Search
from autolr.online.serialization import (
    rollbacks_from_list,
    rollbacks_to_list,
    scores_from_list,
    scores_to_list,
)
from autolr.online.thresholds import Thresholds
from autolr.schedules import Schedule


def search_to_dict(search: Search) -> dict[str, Any]:
    """Return plain JSON values; `search_from_dict` takes them back."""
    return {
        "alive": [candidate.to_dict() for candidate in search.alive],
        "rounds": [_round_to_dict(now) for now in search.rounds],
        "thresholds": asdict(search.thresholds),
        "lowest": repr(search.lowest),
        "highest": repr(search.highest),
        "alive_below": repr(search.alive_below),
        "ends": [repr(peak) for peak in search.ends],
        "limits": {rule: [repr(peak) for peak in four] for rule, four in search.limits},
        "scores": scores_to_list(search.scores),
        "returns": rollbacks_to_list(search.rollbacks),
        "best": None if search.best is None else [search.best[0], repr(search.best[1])],
        "best_batches": list(map(repr, search.best_batches)),
        "doubts": search.doubts,
        "rollback": search.rollback,
        "chose_schedule": search.chose_schedule,
        "averages": search.averages,
        "last": repr(search.last),
        "spare": search.spare,
        "near": search.near,
        "near_steps": search.near_steps,
        "initial": None if search.initial is None else repr(search.initial),
        "initial_batches": list(map(repr, search.initial_batches)),
        "favoured": search.favoured,
        "own": None if search.own is None else search.own.to_dict(),
        "kept": None if search.fallback is None else [search.fallback[0], repr(search.fallback[1])],
    }


def search_from_dict(values: Mapping[str, Any]) -> Search:
    """Return the search that `search_to_dict` described, equal to it."""
    best, kept = values["best"], values["kept"]
    return Search(
        alive=tuple(map(Candidate.from_dict, values["alive"])),
        rounds=tuple(map(_round_from_dict, values["rounds"])),
        thresholds=Thresholds(**values["thresholds"]),
        lowest=float(values["lowest"]),
        highest=float(values["highest"]),
        alive_below=float(values["alive_below"]),
        ends=(float(values["ends"][0]), float(values["ends"][1])),
        limits=tuple(
            (rule, (float(a), float(b), float(c), float(d)))
            for rule, (a, b, c, d) in values["limits"].items()
        ),
        scores=scores_from_list(values["scores"]),
        rollbacks=rollbacks_from_list(values["returns"]),
        best=None if best is None else (best[0], float(best[1])),
        best_batches=tuple(map(float, values["best_batches"])),
        doubts=values["doubts"],
        rollback=values["rollback"],
        chose_schedule=values["chose_schedule"],
        averages=values.get("averages", False),  # not stored by earlier versions
        last=float(values["last"]),
        spare=values["spare"],
        near=values.get("near"),
        near_steps=values.get("near_steps", 0),
        initial=None if values["initial"] is None else float(values["initial"]),
        initial_batches=tuple(map(float, values["initial_batches"])),
        fallback=None if kept is None else (kept[0], float(kept[1])),
        favoured=values.get("favoured"),
        own=Candidate.from_dict(values["own"]) if values.get("own") else None,
    )


def _round_to_dict(now: Round) -> dict[str, Any]:
    values = {field.name: getattr(now, field.name) for field in fields(now)}
    profiles = [profile.to_dict() for profile in now.profiles]
    return {**values, "factors": list(now.factors), "profiles": profiles}


def _round_from_dict(values: Mapping[str, Any]) -> Round:
    profiles = tuple(map(Schedule.from_dict, values["profiles"]))
    return Round(**{**values, "factors": tuple(values["factors"]), "profiles": profiles})

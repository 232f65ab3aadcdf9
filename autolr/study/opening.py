"""Opening a study to write to it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna

from autolr.study import sampling
from autolr.study.address import check_name, locate
from autolr.study.fingerprint import Difference, mismatch
from autolr.study.handle import Study
from autolr.study.hyperband import Hyperband
from autolr.study.records import FINGERPRINT, FOLDER, Direction
from autolr.study.session import Session
from autolr.study.storage import connect, storage_errors, without_logs


def open_study(
    url: str,
    name: str,
    *,
    direction: Direction = "minimize",
    sampler: str | Mapping[str, Any] = "tpe",
    seed: int = 0,
    hyperband: Hyperband | None = None,
    cost: str | None = None,
    fresh: bool = False,
    session: Session | None = None,
) -> Study:
    """Open the study ``name`` to write to it; create it if it does not exist. Hold `locked`.

    Args:
        url: The storage; the folder and the file of an SQLite one are created.
        name: The study.
        direction: Whether lower or higher scores are better.
        sampler: See `autolr.study.sampler`.
        seed: Of the sampler, at least 0.
        hyperband: Assigns brackets and judges trials; None: trials run to their end.
        cost: The attribute of a complete trial that is minimized too, without ``hyperband``; None:
            the score is the only objective.
        fresh: Delete the study first, with all its trials.
        session: From `locked`.

    Raises:
        ConfigError: If ``url``, ``name``, ``sampler`` or ``seed`` cannot work.
        StorageError: If the storage cannot be used.
        StudyMismatchError: If the stored study has other directions.
    """
    address = locate(url)
    check_name(name)
    chosen = sampling.sampler(sampler, seed)
    wanted = _directions(direction, cost)
    storage = connect(address, session)
    with storage_errors(url, reading=True), without_logs():
        if fresh and name in optuna.get_all_study_names(storage):
            optuna.delete_study(study_name=name, storage=storage)
        study = optuna.create_study(
            storage=storage,
            sampler=chosen,
            pruner=optuna.pruners.NopPruner(),  # `judge` decides, in memory
            study_name=name,
            directions=wanted,
            load_if_exists=True,
        )
        stored = [direction.name.lower() for direction in study.directions]
        trials = study.get_trials(deepcopy=False)
    if stored != wanted:
        shown = (" and ".join(directions) for directions in (stored, wanted))
        raise mismatch(name, Difference("direction", *shown))
    return Study(url, study, trials, hyperband, cost)


@contextmanager
def announced(
    url: str,
    name: str,
    folder: Path,
    *,
    direction: Direction = "minimize",
    cost: str | None = None,
    session: Session | None = None,
) -> Iterator[None]:
    """Store a study's folder for results before it is opened, for workers that look for it.

    The study is created if it does not exist, and deleted if it has no trials when the block
    raises. Hold `locked`.

    Args:
        url: The storage.
        name: The study.
        folder: Where its results will be.
        direction: As for `open_study`.
        cost: As for `open_study`.
        session: From `locked`.

    Raises:
        ConfigError: If ``url`` or ``name`` cannot work.
        StorageError: If the storage cannot be used.
    """
    storage = connect(locate(url), session)
    with storage_errors(url, reading=True), without_logs():
        study = optuna.create_study(
            storage=storage,
            study_name=check_name(name),
            directions=_directions(direction, cost),
            load_if_exists=True,
        )
        empty = not study.get_trials(deepcopy=False)
        if empty or FINGERPRINT in study.user_attrs:  # else another tool made the study
            study.set_user_attr(FOLDER, str(folder.absolute()))
    try:
        yield
    except BaseException:
        with storage_errors(url):
            if empty and FINGERPRINT not in study.user_attrs:
                optuna.delete_study(study_name=name, storage=storage)
        raise
    finally:
        storage.engine.dispose()


def _directions(direction: Direction, cost: str | None) -> list[Direction]:
    return [direction] if cost is None else [direction, "minimize"]

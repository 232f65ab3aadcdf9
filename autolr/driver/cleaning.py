"""Removing the files of a study that nothing needs any more."""

import os
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from autolr import report, study
from autolr.config_checks import check
from autolr.disk import disk_errors, is_folder, remove
from autolr.driver.results_folder import ResultsFolder
from autolr.errors import ConfigError
from autolr.job import WEIGHTS
from autolr.predicates import is_whole, whole
from autolr.study import Summary, TrialRecord

_CHECKPOINTS = "checkpoints of trials that are over"
_LOGS = "logs of workers"
_DRAFTS = "files that a killed process left half written"


@dataclass(frozen=True, slots=True)
class Waste:
    """A file, or a folder that a sharded strategy wrote in place of one, that nothing needs.

    Attributes:
        kind: What it is, in words.
        path: Where.
        size: In bytes.
    """

    kind: str
    path: Path
    size: int


def clean(
    storage: str,
    name: str,
    out: str | None = None,
    *,
    keep: int | None = None,
    dry_run: bool = False,
) -> list[str]:
    """Remove what neither a resume nor a report needs; return lines that say what it was.

    These are the checkpoints of trials that are over, logs of workers, and drafts of killed
    processes. What trials logged and the errors of failed ones stay.

    Args:
        storage: The URL of the study's storage.
        name: The study.
        out: Its folder for results; None: as `autolr.report.results_folder` finds it.
        keep: Of how many trials, the best ones, the weights stay; None: all that are there.
        dry_run: Whether to say it only.

    Raises:
        ConfigError: If there is no such study, or no folder of its results, or ``keep`` is no
            whole number.
        StorageError: If the folder holds another study's results, a file cannot be removed, or a
            driver works on the study (`StorageBusyError`).
    """
    if keep is not None:
        check("keep", keep, whole(keep, 0), is_whole(keep, 0))
    stored = study.look(storage, name)
    folder = report.results_folder(name, out, stored.folder)
    if folder is None:
        raise ConfigError(f"study {name!r} has no folder of results here", "give its {out}")
    place = study.locate(storage).place
    ResultsFolder(name, place, str(stored.attrs.get(study.ID, ""))).check(folder)
    study.check_unheld(storage, name)
    with nullcontext() if dry_run else study.locked(storage, name, folder), disk_errors(folder):
        found = list(waste(study.look(storage, name), folder, keep))
        for each in () if dry_run else found:
            remove(each.path)
    return _told(found, folder, "would remove" if dry_run else "removed")


def waste(stored: Summary, folder: Path, keep: int | None = None) -> Iterator[Waste]:
    """Yield what nothing needs in the folder of a study on which no driver works.

    Args:
        stored: The study.
        folder: Its folder for results.
        keep: Of how many trials the weights are needed; None: of all that have some.
    """
    kept = {trial.number for trial in stored.trials if _has_weights(trial)}
    if keep is not None:
        kept &= study.keepers(stored.trials, stored.direction, keep)
    for trial in stored.trials:
        own = folder / f"trial_{trial.number}"
        for run in (own, *sorted(own.glob("seed_*"))):
            yield from _found(_DRAFTS, run.glob("*.new"))
            if not trial.open:
                names = ["rung.ckpt", *([] if trial.number in kept else [WEIGHTS])]
                yield from _found(_CHECKPOINTS, map(run.joinpath, names))
                yield from _found(_DRAFTS, [run / "job.json"])
    yield from _found(_LOGS, sorted(folder.glob("worker_*.log")))
    yield from _found(_DRAFTS, sorted(folder.glob("*.new")))


def _has_weights(trial: TrialRecord) -> bool:
    return trial.state == "COMPLETE" or trial.stopped


def _found(kind: str, paths: Iterator[Path] | Sequence[Path]) -> Iterator[Waste]:
    for path in paths:
        if os.path.lexists(path):
            yield Waste(kind, path, _size(path))


def _size(path: Path) -> int:
    if is_folder(path):
        return sum(file.lstat().st_size for file in path.rglob("*") if not file.is_dir())
    return path.lstat().st_size


def _told(found: Sequence[Waste], folder: Path, did: str) -> list[str]:
    if not found:
        return [f"{folder} has nothing that can be removed"]
    lines = []
    for kind in dict.fromkeys(each.kind for each in found):
        sizes = [each.size for each in found if each.kind == kind]
        lines.append(f"{did} {kind} ({len(sizes)}): {sum(sizes):,} bytes")
    total = sum(each.size for each in found)
    return [*lines, f"{did} {total:,} bytes in {folder}"]

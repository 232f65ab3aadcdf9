"""What is left of a study that has all its trials."""

from collections.abc import Mapping
from pathlib import Path

from autolr import report, study
from autolr.atomic import has_text, write_atomically
from autolr.disk import check_folder
from autolr.driver.claim import Claim
from autolr.driver.events import TuneResult, with_values
from autolr.study import Summary


def complete(claim: Claim, stored: Summary) -> TuneResult:
    """Return a study that has all its trials; files that were lost or are old are written again.

    Args:
        claim: The study, checked.
        stored: As its storage has it.
    """
    config = claim.config
    folder = config.tune.folder
    best = stored.best(len(stored.trials))
    leader = study.leader(stored.trials, stored.direction)
    files = report.artefacts(config, folder, stored.trials, leader)
    stale = tuple(file for file, text in files.items() if not has_text(file, text))
    if stale:
        check_folder(folder)
        if study.ID in stored.attrs:
            claim.owner.claim(folder)
        write_files(folder, {file: files[file] for file in stale})
    trials, best = with_values(stored.trials, config.space), with_values(best, config.space)
    return TuneResult(config, trials, best, stale, over=claim.over)


def write_files(folder: Path, files: Mapping[Path, str]) -> None:
    """Write the files of a study.

    Args:
        folder: It is created.
        files: Their texts.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for file, text in files.items():
        write_atomically(file, text)

"""What is left of a study that has all its trials."""

import shlex
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from autolr import report, study
from autolr.atomic import has_text, write_atomically
from autolr.config import Config
from autolr.disk import check_folder
from autolr.driver.claim import Claim
from autolr.driver.events import Event, Noted, TuneResult, with_values
from autolr.study import Summary


def complete(claim: Claim, stored: Summary, listener: Callable[[Event], None]) -> TuneResult:
    """Return a study that has all its trials; files that were lost or are old are written again.

    Args:
        claim: The study, checked.
        stored: As its storage has it.
        listener: Called where the weights that are there are not those of the setting ``keep``.
    """
    config = claim.config
    if not config.names_objective:  # which writes none
        for line in _about_weights(config, stored):
            listener(Noted(line))
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


def _about_weights(config: Config, stored: Summary) -> Iterator[str]:
    """Say which weights are kept beyond the setting ``keep``, and which it would have kept."""
    tune = config.tune
    kept = {trial.number for trial in stored.trials if report.weights_of(tune.folder, trial)}
    wanted = study.keepers(stored.trials, stored.direction, tune.keep)
    if wanted - kept:
        yield (
            f"keep is {tune.keep}, and there are no weights of {_named(wanted - kept)}: when a "
            "trial ends, only those of the best ones so far stay"
        )
    if kept - wanted:
        yield (
            f"keep is {tune.keep}, and there are weights of {_named(kept - wanted)}: "
            f"autolr clean {shlex.quote(tune.study)} --keep {tune.keep} removes them"
        )


def _named(numbers: set[int]) -> str:
    return f"trial{'s' * (len(numbers) > 1)} {', '.join(map(str, sorted(numbers)))}"


def write_files(folder: Path, files: Mapping[Path, str]) -> None:
    """Write the files of a study.

    Args:
        folder: It is created.
        files: Their texts.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for file, text in files.items():
        write_atomically(file, text)

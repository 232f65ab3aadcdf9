"""The files of a study's report: report.html, trials.csv and figures."""

import os
import re
from pathlib import Path

from autolr.atomic import write_atomically
from autolr.disk import written
from autolr.errors import ConfigError
from autolr.predicates import STUDY_NAME
from autolr.report.page import study_charts, study_page
from autolr.report.statistics import without_attributes
from autolr.report.trials_file import write_trials
from autolr.study import Summary


def write_report(study: Summary, results: Path | None, to: Path) -> tuple[Path, ...]:
    """Write report.html, trials.csv and figures/*.svg into the folder ``to``, made if missing.

    Args:
        study: The study.
        results: Its folder, with the trials' logs and best.yaml; None: there is none.
        to: The folder to write to.

    Returns:
        The paths of the page, the table and the charts.

    Raises:
        ConfigError: If ``to`` cannot be written.
        StorageError: If the disk is full or broken.
    """
    study = study if study.fingerprint else without_attributes(study)
    charts = study_charts(study, results)
    page, table, folder = to / "report.html", to / "trials.csv", to / "figures"
    files: dict[Path, str] = {}
    for name, chart in charts.items():
        plain = name_of(name)
        taken = sum(file.stem.startswith(plain) for file in files)
        own = f"{plain}_{taken}" if folder / f"{plain}.svg" in files else plain
        files[folder / f"{own}.svg"] = chart.file()
    with written("to", to, "a folder to write to"):
        folder.mkdir(parents=True, exist_ok=True)
        for file, text in files.items():
            write_atomically(file, text)
        write_trials(study.trials, table)
        write_atomically(page, study_page(study, results, charts))
    return (page, table, *files)


def name_of(chart: str) -> str:
    """Return the name of a chart as a name of a file.

    >>> name_of("parameter_model.init_args.width <&>")
    'parameter_model.init_args.width____'
    """
    return re.sub(r"[^A-Za-z0-9._-]", "_", chart)


def results_folder(study: str, given: str | None, stored: Path | None) -> Path | None:
    """Return the folder for results of a study; None if there is none.

    Args:
        study: Its name.
        given: The folder that the user names.
        stored: The folder that its driver stored, used if the default one does not exist.

    Raises:
        ConfigError: If the folder that the user names does not exist.
    """
    if given is not None:
        if not os.path.isdir(given):  # `Path.is_dir` raises for names that are too long
            raise ConfigError.of("out", given, "the folder for results of the study")
        return Path(given)
    usual = Path("autolr_runs", study) if re.fullmatch(STUDY_NAME, study) else None
    for folder in (usual, stored):
        if folder is not None and folder.is_dir():
            here = Path.cwd()
            return folder.relative_to(here) if folder.is_relative_to(here) else folder
    return None

"""The files of a study's report: report.html, trials.csv and figures."""

import re
from pathlib import Path

from autolr.errors import ConfigError
from autolr.report.page import study_charts, study_page
from autolr.report.statistics import OthersStudy, ReportedStudy
from autolr.report.table import write_trials


def write_report(study: ReportedStudy, results: Path | None, to: Path) -> tuple[Path, ...]:
    """Write report.html, trials.csv and figures/*.svg into the folder ``to``, made if missing.

    Args:
        study: The study.
        results: Its folder with what trials logged, and best.yaml; None: there is none.
        to: Where to.

    Returns:
        The page, the table, and the charts.

    Raises:
        ConfigError: If ``to`` cannot be written.
    """
    study = study if study.fingerprint else OthersStudy.of(study)
    charts = study_charts(study, results)
    page, table, folder = to / "report.html", to / "trials.csv", to / "figures"
    files: dict[Path, str] = {}
    for name, chart in charts.items():
        plain = name_of(name)
        taken = sum(file.stem.startswith(plain) for file in files)
        own = f"{plain}_{taken}" if folder / f"{plain}.svg" in files else plain
        files[folder / f"{own}.svg"] = chart.file()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, text in files.items():
            file.write_text(text, "utf-8")
        write_trials(study.trials, table)
        page.write_text(study_page(study, results, charts), "utf-8")
    except OSError as error:
        raise ConfigError.of("to", str(to), f"a folder to write to ({error.strerror})") from None
    return (page, table, *files)


def name_of(chart: str) -> str:
    """Return the name of a chart as that of a file.

    >>> name_of("parameter_model.init_args.width <&>")
    'parameter_model.init_args.width____'
    """
    return re.sub(r"[^A-Za-z0-9._-]", "_", chart)


def results_folder(study: str, given: str | None, stored: Path | None) -> Path | None:
    """Return the folder for results of a study; None if no other is given and it is not there.

    Args:
        study: Its name.
        given: The folder that the user gives.
        stored: The one that its driver told, used where there is none of the usual name.

    Raises:
        ConfigError: If the one given is not there.
    """
    if given is not None:
        if not Path(given).is_dir():
            raise ConfigError.of("out", given, "the folder for results of the study")
        return Path(given)
    for folder in (Path("autolr_runs", study), stored):
        if folder is not None and folder.is_dir():
            here = Path.cwd()
            return folder.relative_to(here) if folder.is_relative_to(here) else folder
    return None

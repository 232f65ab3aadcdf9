"""The command line: parse, call one function, print. No logic."""

import sys
from collections.abc import Callable, Sequence
from typing import Any

from jsonargparse import ArgumentError, ArgumentParser, Namespace

from autolr._version import __version__
from autolr.errors import AutoLRError
from autolr.parser_errors import one_line

_STORAGE = "sqlite:///autolr.db"  # as in the section `tune:`
_WIDE = 200  # columns of a table that is not printed on a terminal


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``autolr`` and return the exit status.

    0 done, 1 failed, 2 wrong usage or config, 4 storage busy, damaged, full or holding another
    study, 128 + signal when interrupted.
    """
    parser = _parser()
    try:
        arguments = parser.parse_args(list(sys.argv[1:] if argv is None else argv))
        command = arguments.subcommand
        if command is None:
            parser.print_help()
            return 2
        return _COMMANDS[command](arguments[command])
    except ArgumentError as error:
        return _fail(f"{one_line(str(error))} (autolr --help lists what there is)", 2)
    except AutoLRError as error:
        return _fail(str(error), error.exit_status)
    except KeyboardInterrupt:
        return _fail("interrupted", 130)


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog="autolr",
        description="Tune learning-rate schedules.",
        exit_on_error=False,
        version=__version__,
        env_prefix=False,
        default_env=False,
    )
    commands = parser.add_subcommands(required=False, title="commands")
    tune = _command(commands, "tune", "search for a schedule, or go on with a search")
    tune.add_argument("config", type=str, help="a LightningCLI config with a section 'tune:'")
    tune.add_argument("--trials", type=int, default=None, help="trials of the study in all")
    tune.add_argument(
        "--timeout", type=float, default=None, help="seconds after which no trial is started"
    )
    tune.add_argument(
        "--workers", type=int | str, default=None, help="trials at a time; auto: one for each GPU"
    )
    tune.add_argument(
        "--engine", type=str, default=None, help="what runs the workers: local, ray or open"
    )
    tune.add_argument(
        "--listen", type=str, default=None, help="address at which an open study takes workers"
    )
    tune.add_argument("--storage", type=str, default=None, help="URL, as sqlite:///autolr.db")
    tune.add_argument("--study", type=str, default=None, help="name of the study")
    tune.add_argument("--out", type=str, default=None, help="folder for results")
    tune.add_argument("--fresh", action="store_true", help="forget a study of this name first")
    tune.add_argument(
        "--dry-run", action="store_true", help="check everything up to the first training step"
    )
    worker = _command(commands, "worker", "train for a study whose driver is elsewhere")
    worker.add_argument("config", type=str, help="the driver's config, in the same folder")
    worker.add_argument(
        "--storage",
        type=str,
        default=None,
        help="URL of the study, which names its driver's folder",
    )
    worker.add_argument("--study", type=str, default=None, help="name of the study")
    worker.add_argument("--out", type=str, default=None, help="the driver's folder for results")
    worker.add_argument(
        "--wait", type=float, default=600.0, help="seconds without a driver before it leaves"
    )
    fit = _command(commands, "fit", "train one run, its peak found inside it")
    fit.add_argument("config", type=str, help="a LightningCLI config, or best.yaml of a study")
    fit.add_argument("--out", type=str, default=None, help="folder for results")
    show = _command(commands, "show", "list the studies of a storage, or the trials of one")
    _add_stored(show)
    show.add_argument("--json", action="store_true", help="as JSON, with all that is stored")
    page = _command(commands, "report", "write a study as a page with charts")
    _add_stored(page, needed=True)
    page.add_argument(
        "--out", type=str, default=None, help="the study's folder for results: autolr_runs/STUDY"
    )
    page.add_argument("--to", type=str, default=None, help="a folder; without it, that of --out")
    export = _command(commands, "export", "write the trials of a study to a file")
    _add_stored(export, needed=True)
    export.add_argument("--to", type=str, default="trials.csv", help="a .csv or .parquet file")
    dashboard = _command(commands, "dashboard", "open a storage in Optuna's dashboard")
    _add_stored(dashboard)
    dashboard.add_argument(
        "--port", type=int, default=8080, help="of this machine's loopback address; 0: a free one"
    )
    spaces = _command(commands, "spaces", "list the search spaces that ship with autolr")
    spaces.add_argument("name", nargs="?", type=str, default=None, help="one to print")
    rules = _command(commands, "rules", "list the rules that set the size of a step")
    rules.add_argument("name", nargs="?", type=str, default=None, help="one to describe in full")
    return parser


def _add_stored(parser: ArgumentParser, *, needed: bool = False) -> None:
    given: dict[str, Any] = {} if needed else {"nargs": "?", "default": None}
    parser.add_argument("study", type=str, help="name of a study", **given)
    parser.add_argument("--storage", type=str, default=_STORAGE, help="URL, as sqlite:///autolr.db")


def _command(commands: Any, name: str, description: str) -> ArgumentParser:
    parser = ArgumentParser(description=description, exit_on_error=False)
    commands.add_subcommand(name, parser, help=description)
    return parser


def _tune(arguments: Namespace) -> int:
    from autolr.console import ConsoleProgress, conclusion
    from autolr.driver import tune  # here: optuna takes a while to import

    settings = arguments.as_dict()
    settings.pop("config")
    with ConsoleProgress() as progress:
        result = tune(arguments.config, listener=progress, **settings)
    if arguments.dry_run:
        _print("the config works; nothing was trained")
        return 0
    for part in conclusion(result):
        _print(part)
    return 128 + result.interrupted if result.interrupted else 0


def _worker(arguments: Namespace) -> int:
    from autolr.driver import join  # here: optuna takes a while to import

    settings = arguments.as_dict()
    join(settings.pop("config"), listener=_print, **settings)
    return 0


def _fit(arguments: Namespace) -> int:
    from pathlib import Path

    from autolr import objective, report

    out = None if arguments.out is None else Path(arguments.out)
    attached = objective.fit(report.read_run(arguments.config), out)
    if attached is not None:
        found = attached.result
        if found.probes.empty:
            _print(f"{found.total_steps} steps are too few to search: the customary peak is used")
        else:
            _print(found.probes.to_string(index=False))
        _print(f"peak {found.peak:.4g}, schedule {found.schedule}")
        _print(f"price {found.price:.3f} runs ({found.probe_steps} probe steps)")
    return 0


def _show(arguments: Namespace) -> int:
    import json

    from autolr import report, study  # here: optuna takes a while to import

    names = [arguments.study] if arguments.study else study.names(arguments.storage)
    found = [study.look(arguments.storage, name) for name in names]
    if arguments.json:
        shown: Any = [report.study_to_dict(one) for one in found]
        print(json.dumps(shown[0] if arguments.study else shown, indent=1, default=str))
    elif arguments.study:
        _print(report.heading(found[0]))
        if (driver := study.holder(found[0])) is not None:
            _print(f"{driver} works on it")
        elif found[0].running or found[0].waiting:
            _print("nobody works on it: autolr tune goes on with what runs or waits")
        _print(report.trials_table(found[0]))
    elif found:
        _print(report.studies_table(found))
    else:
        _print(f"no studies in {arguments.storage}")
    return 0


def _report(arguments: Namespace) -> int:
    from pathlib import Path

    from autolr import report, study  # here: optuna takes a while to import

    found = study.look(arguments.storage, arguments.study)
    results = report.results_folder(found.name, arguments.out, found.folder)
    to = arguments.to or results or f"{found.name}_report"
    page, table, *charts = report.write_report(found, results, Path(to))
    _print(f"wrote {page}")
    _print(f"wrote {table}")
    if charts:
        _print(f"wrote {len(charts)} charts in {charts[0].parent}")
    return 0


def _export(arguments: Namespace) -> int:
    from pathlib import Path

    from autolr import report, study

    trials = study.look(arguments.storage, arguments.study).trials
    report.write_trials(trials, Path(arguments.to))
    _print(f"wrote {arguments.to}")
    return 0


def _dashboard(arguments: Namespace) -> int:
    from autolr.report.dashboard import serve  # here: optuna takes a while to import

    serve(arguments.storage, arguments.study, arguments.port, _print)
    return 0


def _spaces(arguments: Namespace) -> int:
    from autolr import search_spaces

    if arguments.name is None:
        for name in search_spaces.names():
            _print(f"{name:10} {search_spaces.describe(name)}")
    else:
        _print(search_spaces.text(arguments.name).rstrip())
    return 0


def _rules(arguments: Namespace) -> int:
    from autolr.rules import overview

    _print(overview.table() if arguments.name is None else overview.page(arguments.name))
    return 0


def _print(value: object) -> None:
    from rich.console import Console

    console = Console(highlight=False)
    if not console.is_terminal:  # a table must not be folded where nobody looks
        console = Console(highlight=False, width=_WIDE)
    console.print(value, markup=False, soft_wrap=isinstance(value, str))


def _fail(message: str, status: int) -> int:
    print(f"autolr: error: {message}", file=sys.stderr)
    return status


_COMMANDS: dict[str, Callable[[Namespace], int]] = {
    "tune": _tune,
    "worker": _worker,
    "fit": _fit,
    "show": _show,
    "report": _report,
    "export": _export,
    "dashboard": _dashboard,
    "spaces": _spaces,
    "rules": _rules,
}

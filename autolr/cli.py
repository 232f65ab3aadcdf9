"""The command line: parse, call one function, print. No logic."""

import json
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from jsonargparse import Namespace

from autolr.arguments import completion_script, read_arguments
from autolr.arguments import parser as _parser
from autolr.counted import counted
from autolr.errors import AutoLRError, ConfigError
from autolr.quoting import shortened
from autolr.schedules import Schedule
from autolr.storage_url import shown

_WIDE = 200  # columns of a table in a file or pipe, unless COLUMNS is set: no row is folded
_LONGEST = 1000  # characters of an error message: ten lines of a terminal


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``autolr`` and return the exit status.

    0: done. 1: failed. 2: wrong usage or config. 4: the storage is busy, damaged, full or has a
    study with other settings, or a disk failed. 128 + signal: interrupted.
    """
    try:
        status = _run(list(sys.argv[1:] if argv is None else argv))
        if sys.stdout is not None:
            sys.stdout.flush()  # here, so that an error of the output is caught below
        return status
    except AutoLRError as error:
        return _fail(error.for_command(), error.exit_status)
    except KeyboardInterrupt:
        return _fail("interrupted", 130)
    except BrokenPipeError:  # `autolr show | head`
        _mute()
        return 1
    except OSError as error:
        _mute()
        file = error.filename2 or error.filename or "the output"
        return _fail(f"cannot use {file}: {error.strerror or error}", 4)


def _run(words: Sequence[str]) -> int:
    command, arguments = read_arguments(words)
    if command is None:
        _parser().print_help()
        return 2
    return _COMMANDS[command](arguments)


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
    from autolr.driver import run_worker  # here: optuna takes a while to import

    settings = arguments.as_dict()
    run_worker(settings.pop("config"), listener=_print, **settings)
    return 0


def _fit(arguments: Namespace) -> int:
    from pathlib import Path

    from autolr import objective  # here: torch and lightning take seconds to import
    from autolr.config import best_of, read_run
    from autolr.disk import check_folder
    from autolr.tune_config import check_repeats

    check_repeats("seeds", arguments.seeds)
    out = None if arguments.out is None else Path(arguments.out)
    if out is not None:
        check_folder(out)
    config = read_run(arguments.config)
    if config.seed_line is not None:
        _print(config.seed_line)
    for line in objective.fit_lines(config, out, arguments.seeds, best_of(arguments.config)):
        _print(line)
    return 0


def _show(arguments: Namespace) -> int:
    from autolr import report, study  # here: optuna takes a while to import

    if arguments.watch:
        return _watch(arguments)
    studies: Sequence[study.Summary] = ()
    if arguments.study:
        studies = [study.look(arguments.storage, arguments.study)]
    else:
        studies, unreadable = study.look_around(arguments.storage)
        for name, why in unreadable.items():
            _say(f"study {name!r} is skipped: {why}")
    if arguments.json:
        listed: Any = [report.study_to_dict(summary) for summary in studies]
        print(json.dumps(listed[0] if arguments.study else listed, indent=1, default=str))
    elif arguments.study:
        for part in report.study_parts(studies[0]):
            _print(part)
    elif studies:
        _print(report.studies_table(studies))
    else:
        _print(f"no studies in {shown(arguments.storage)}; --storage URL names another one")
    return 0


def _watch(arguments: Namespace) -> int:
    from autolr.driver.watching import watch

    if arguments.json or arguments.study is None:
        raise ConfigError("--watch shows the trials of one STUDY as a table, without --json")
    with suppress(KeyboardInterrupt):  # it is how a user leaves
        for parts in watch(arguments.storage, arguments.study):
            _clear()
            for part in parts:
                _print(part)
    return 0


def _report(arguments: Namespace) -> int:
    from pathlib import Path

    from autolr import report, study  # here: optuna takes a while to import

    summary = study.look(arguments.storage, arguments.study)
    stored = summary.folder if summary.fingerprint else None  # else another tool stored it
    results = report.results_folder(summary.name, arguments.out, stored)
    to = arguments.to or results or f"{report.name_of(summary.name)}_report"
    page, table, *charts = report.write_report(summary, results, Path(to))
    _print(f"wrote {page}")
    _print(f"wrote {table}")
    if charts:
        _print(f"wrote {counted(len(charts), 'chart')} in {charts[0].parent}")
    return 0


def _clean(arguments: Namespace) -> int:
    from autolr.driver.cleaning import clean  # here: optuna takes a while to import

    where = (arguments.storage, arguments.study, arguments.out)
    for line in clean(*where, keep=arguments.keep, dry_run=arguments.dry_run):
        _print(line)
    return 0


def _export(arguments: Namespace) -> int:
    from pathlib import Path

    from autolr import report, study

    trials = study.look(arguments.storage, arguments.study).trials
    report.write_trials(trials, Path(arguments.to))
    _print(f"wrote {arguments.to}")
    return 0


def _dashboard(arguments: Namespace) -> int:
    from autolr.report.dashboard import run_dashboard  # here: optuna takes a while to import

    run_dashboard(arguments.storage, arguments.study, arguments.port, _print)
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


def _transfer(arguments: Namespace) -> int:
    from autolr.schedules import transfer_size

    settings = arguments.as_dict()
    for name in ("schedule", "to"):
        if settings[name] is not None:
            settings[name] = _schedule(name, settings[name])
    _print(str(transfer_size(**settings)))
    return 0


def _refine(arguments: Namespace) -> int:
    from pathlib import Path

    from autolr.result.norms import refined_lines  # here: the help needs none of it

    for line in refined_lines(Path(arguments.run)):
        _print(line)
    return 0


def _doctor(arguments: Namespace) -> int:
    from autolr.doctor import verdict
    from autolr.doctor.diagnosis import diagnose  # here: optuna and torch take a while to import
    from autolr.doctor.table import section_table

    sections = []
    for section in diagnose(arguments.config, arguments.storage):
        _print(section_table(section))
        sections.append(section)
    _print(verdict(sections))
    return 1 if any(section.wrong for section in sections) else 0


def _completion(arguments: Namespace) -> int:
    print(completion_script(arguments.shell))
    return 0


def _schedule(name: str, text: str) -> Schedule:
    from autolr.schedules import parse
    from autolr.strict_yaml import parse_yaml

    described = parse_yaml(text, name) if text.startswith("{") else text
    try:
        return parse(described)
    except ConfigError as error:
        raise ConfigError(f"{name}: {error}") from None


def _print(value: object) -> None:
    from rich.console import Console

    console = Console(highlight=False)
    if not console.is_terminal and not os.environ.get("COLUMNS", "").isdigit():
        console = Console(highlight=False, width=_WIDE)
    console.print(value, markup=False, soft_wrap=isinstance(value, str))


def _clear() -> None:
    from rich.console import Console

    Console().clear()  # of a terminal; a file gets one state after the other


def _fail(message: str, status: int) -> int:
    _say(f"error: {message}")
    return status


def _say(message: str) -> None:
    with suppress(OSError):  # stderr is closed
        print(f"autolr: {shortened(message, _LONGEST)}", file=sys.stderr, flush=True)


def _mute() -> None:
    """Discard buffered output: at exit Python would try to write it again."""
    with suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


_COMMANDS: dict[str, Callable[[Namespace], int]] = {
    "tune": _tune,
    "worker": _worker,
    "fit": _fit,
    "show": _show,
    "report": _report,
    "clean": _clean,
    "export": _export,
    "dashboard": _dashboard,
    "spaces": _spaces,
    "rules": _rules,
    "transfer": _transfer,
    "refine": _refine,
    "doctor": _doctor,
    "completion": _completion,
}

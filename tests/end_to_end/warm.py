"""Commands in forks of one process that has torch and Lightning loaded: each saves their import.

A fork is a process of its own, with its own modules, folder, output and signals: it can be killed
like any other. Read from stdin: one JSON object a line, see `_enter`.
"""

import gc
import importlib
import json
import os
import runpy
import signal
import sys
import traceback
from pathlib import Path
from typing import Any


def _serve() -> None:
    from autolr.cli import main

    for module in ("autolr.driver", "autolr.objective", "autolr.progress", "pandas"):
        importlib.import_module(module)
    gc.freeze()  # a collection would copy the memory that forks share
    sys.path.pop(0)  # this file's folder: a command has none such
    for line in sys.stdin:
        if os.fork() == 0:
            request = json.loads(line)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            if (command := os.fork()) != 0:
                _watch(command, Path(request["notes"]))
            _enter(request)
            status = 1
            try:
                if request["script"] is None:
                    status = main(request["arguments"])
                else:
                    sys.path.insert(0, request["folder"])
                    runpy.run_path(request["script"], run_name="__main__")
                    status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(status)  # to take down the modules of Torch takes two seconds


def _watch(command: int, notes: Path) -> None:
    """Note the command's process id and, when it has ended, its exit status; then exit."""
    _write(notes / "pid", command)
    _, status = os.waitpid(command, 0)
    _write(notes / "status", os.waitstatus_to_exitcode(status))
    os._exit(0)


def _write(file: Path, number: int) -> None:
    draft = file.with_suffix(".new")
    draft.write_text(str(number))
    draft.replace(file)  # whoever waits for it sees all of it


def _enter(request: dict[str, Any]) -> None:
    """Make this process the one that was asked for: session, folder, output, environment."""
    os.setsid()
    os.chdir(request["folder"])
    os.environ.update(request["environment"])
    for descriptor, file in enumerate(("/dev/null", request["stdout"], request["stderr"])):
        os.dup2(os.open(file, os.O_RDWR | os.O_APPEND), descriptor)
    sys.argv = [request["script"] or "autolr", *request["arguments"]]


if __name__ == "__main__":
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # so that the watchers leave no zombies
    _serve()

"""Commands in forks of one process that has torch and Lightning loaded: each saves their import.

A fork is a process of its own, with its own modules, folder, output and signals: it can be killed
like any other. Read from stdin: one JSON object a line, see `_enter`. What a command starts as
``python -m`` is a fork too, see `_fork_modules`.
"""

import ctypes
import fcntl
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER
_LONGEST = 1 << 17  # bytes of a message
_ORPHANED = b"it is an orphan"
_MOST = 16  # descriptors that a process is started with


# what a command imports in its functions is named too: torch and Lightning by the objective
_MODULES = (
    "alembic.command",
    "autolr.cli",
    "autolr.console",
    "autolr.driver.loop",
    "autolr.objective.lightning_objective",
    "autolr.report",
    "lightning.pytorch.cli",
    "pandas",
)


def _serve() -> None:
    for module in _MODULES:
        importlib.import_module(module)
    gc.freeze()  # a collection would copy the memory that forks share
    sys.path.pop(0)  # this file's folder: a command has none such
    for line in sys.stdin:
        if os.fork() == 0:
            _obey(json.loads(line))


def _obey(request: dict[str, Any]) -> NoReturn:
    """Be the command of an order, in a child of this process, which waits for it."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if (command := os.fork()) != 0:
        _watch(command, Path(request["notes"]))
    _enter(request)
    _fork_modules()
    if request["script"] is None:
        _run(lambda: importlib.import_module("autolr.cli").main(request["arguments"]))
    sys.path.insert(0, request["folder"])
    _run(lambda: runpy.run_path(request["script"], run_name="__main__"))


def _run(program: Callable[[], object]) -> NoReturn:
    """Run a program as this process, and exit as it does."""
    status = 1
    try:
        returned = program()
        status = returned if isinstance(returned, int) else 0
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)  # to take down the modules of Torch takes two seconds


def _watch(command: int, notes: Path) -> NoReturn:
    """Note the command's process id and, when it has ended, its exit status; then exit."""
    _write(notes / "pid", command)
    _, status = os.waitpid(command, 0)
    _write(notes / "status", os.waitstatus_to_exitcode(status))
    os._exit(0)


def _write(file: Path, number: int) -> None:
    draft = file.with_suffix(".new")
    draft.write_text(str(number))
    draft.replace(file)  # a process that waits for it sees all of it


def _enter(request: dict[str, Any]) -> None:
    """Make this process the one of the order: session, folder, output, environment."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # as from a terminal, also where the
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # tests run in the background or under nohup
    os.chdir(request["folder"])
    os.environ.update(request["environment"])
    for descriptor, file in enumerate(("/dev/null", request["stdout"], request["stderr"])):
        os.dup2(os.open(file, os.O_RDWR | os.O_APPEND), descriptor)
    sys.argv = [request["script"] or "autolr", *request["arguments"]]


def _fork_modules() -> None:
    """Have `subprocess` start ``python -m`` as a fork of what this process is now.

    A twin of it waits, as it is now, and is forked: neither threads nor what was imported or
    opened since are inherited, as by a new interpreter. The new process is this one's child, which
    is what a process becomes whose parent has exited, if this one asks for such orphans. Only Linux
    lets it: elsewhere an interpreter is started.
    """
    if sys.platform != "linux":
        return
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if os.fork() == 0:
        ours.close()
        _be_forked(theirs)
    theirs.close()
    start: Any = subprocess._fork_exec  # type: ignore[attr-defined]
    one_at_a_time = threading.Lock()
    ask_for_orphans = ctypes.CDLL(None).prctl

    def fork_or_start(*passed: Any) -> int:
        if list(map(os.fsdecode, passed[0][:2])) != [sys.executable, "-m"]:
            return int(start(*passed))
        order, given = _order(passed)
        with one_at_a_time:
            ask_for_orphans(_SUBREAPER, 1, 0, 0, 0)
            socket.send_fds(ours, [json.dumps(order).encode()], given)
            pid = int(ours.recv(_LONGEST))
            assert ours.recv(_LONGEST) == _ORPHANED
            ask_for_orphans(_SUBREAPER, 0, 0, 0, 0)
        return pid

    subprocess._fork_exec = fork_or_start  # type: ignore[attr-defined]


def _order(passed: tuple[Any, ...]) -> tuple[dict[str, Any], list[int]]:
    """Return what `_become` needs, and descriptors, from the arguments of ``_fork_exec``."""
    command, _, _, kept, folder, environment = passed[:6]
    streams = {0: passed[6], 1: passed[9], 2: passed[11]}  # -1: this process's own
    ends = {number: number for number in kept if number != passed[13]}  # not the one for errors
    ends |= {at: at if number == -1 else number for at, number in streams.items()}
    pairs = os.environb.items() if environment is None else (e.split(b"=", 1) for e in environment)
    order = {
        "command": [os.fsdecode(word) for word in command[2:]],
        "descriptors": list(ends),
        "folder": os.getcwd() if folder is None else os.fsdecode(folder),
        "environment": {os.fsdecode(name): os.fsdecode(value) for name, value in pairs},
        "session": bool(passed[15]),
    }
    return order, list(ends.values())


def _be_forked(orders: socket.socket) -> NoReturn:
    """Fork for each order, until no process can give one."""
    while True:
        text, given, _, _ = socket.recv_fds(orders, _LONGEST, _MOST)
        if not text:
            os._exit(0)
        if (parent := os.fork()) == 0:
            if (pid := os.fork()) != 0:
                orders.send(str(pid).encode())
                os._exit(0)
            orders.close()
            _become(json.loads(text), given)
        os.waitpid(parent, 0)
        for descriptor in given:
            os.close(descriptor)
        orders.send(_ORPHANED)


def _become(order: dict[str, Any], given: list[int]) -> NoReturn:
    """Be ``python -m`` with these arguments, in this environment, with these descriptors."""
    apart = [fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, 1000) for number in given]
    for number in given:
        os.close(number)
    for number, at in zip(apart, order["descriptors"], strict=True):
        os.dup2(number, at)
        os.close(number)
    if order["session"]:
        os.setsid()
    os.chdir(order["folder"])
    os.environ.clear()
    os.environ.update(order["environment"])
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:0] = [os.getcwd(), *filter(None, paths)]
    rank = importlib.import_module("lightning.fabric.utilities.rank_zero")
    rank.rank_zero_only.rank = rank._get_rank() or 0  # as an import does
    _fork_modules()
    module, *arguments = order["command"]
    sys.argv = [module, *arguments]
    _run(lambda: runpy.run_module(module, run_name="__main__", alter_sys=True))


if __name__ == "__main__":
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # so that the watchers leave no zombies
    _serve()

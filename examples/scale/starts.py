"""Simultaneous starts of one study: ``python -m examples.scale.starts [ROUNDS [STARTS]]``.

In each round several processes start the same command on a database that does not exist yet. One
must run the study; the others must exit with 4 and its process id. Then the script starts one more
while a driver runs, and times it from start to end, interpreter and imports included.
"""

import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from statistics import median

from examples.scale.chaos import write_project

_COMMAND = (sys.executable, "-m", "autolr", "tune", "tune.yaml")


def main(rounds: int = 10, starts: int = 6) -> None:
    """Run the rounds and print the outcomes of the starts."""
    outcomes: Counter[str] = Counter()
    late: list[float] = []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as name:
            write_project(Path(name), trials=1)
            outcomes += _round(Path(name), starts, late)
    for outcome, count in sorted(outcomes.items()):
        print(f"{count:3} of {rounds * starts}: {outcome}")
    print(f"a start beside a driver ends after {median(late):.2f} s, {max(late):.2f} s at most")


def _round(folder: Path, starts: int, late: list[float]) -> Counter[str]:
    """Start all at once, and one more as soon as only one is left."""
    processes = [_start(folder) for _ in range(starts)]
    while sum(process.poll() is None for process in processes) > 1:
        time.sleep(0.01)
    began = time.monotonic()
    extra = _start(folder)
    message = extra.communicate()[1]
    late.append(time.monotonic() - began)
    ended = [(process.communicate()[1], process.returncode) for process in processes]
    (winner,) = (
        process.pid for process, (_, status) in zip(processes, ended, strict=True) if status == 0
    )
    assert extra.returncode == 4
    assert _names(message) == winner
    return Counter(_outcome(text, status, winner) for text, status in ended)


def _start(folder: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        _COMMAND, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )


def _outcome(message: str, status: int, winner: int) -> str:
    if status == 0:
        return "ran the study"
    named = (
        "naming the one that runs" if _names(message) == winner else f"saying {message.strip()!r}"
    )
    return f"exit {status}, {named}"


def _names(message: str) -> int:
    match = re.search(r"in use by process (\d+)", message)
    return 0 if match is None else int(match[1])


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))

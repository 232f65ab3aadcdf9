"""A study under the tools of Optuna: its dashboard, run by autolr, and its command."""

import csv
import json
import re
import signal
import socket
import sqlite3
import time
import urllib.request
from typing import Any

import pytest

OPTUNA = "from optuna.cli import main\n\nassert main() == 0\n"  # as the command optuna does


def stored(project: Any) -> list[str]:
    """The state of each trial in the database, by number."""
    with sqlite3.connect(project.folder / "runs.db") as database:
        return [row[0] for row in database.execute("SELECT state FROM trials ORDER BY number")]


def ask(url: str, **body: Any) -> Any:
    """Get what the dashboard answers; with a body, put that."""
    request = urllib.request.Request(url, method="PUT" if body else "GET")
    if body:
        request.add_header("Content-Type", "application/json")
        request.data = json.dumps(body).encode()
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read() or "null")


def optuna(project: Any, command: str) -> Any:
    """Return what a command of Optuna's tells of the study."""
    (project.folder / "optuna_command.py").write_text(OPTUNA)
    where = ("--study-name", "line", "--storage", "sqlite:///runs.db", "-f", "json")
    done = project.run(command, *where, script="optuna_command.py")
    assert done.status == 0, done.err
    return json.loads(done.out)


@pytest.mark.slow
def test_a_study_continues_while_it_is_open_in_the_dashboard_and_written_by_it(
    project: Any,
) -> None:
    pytest.importorskip("optuna_dashboard")
    project.tune("--trials", 2)
    where = ("--storage", "sqlite:///runs.db", "--port", 0)
    dashboard = project.start("dashboard", "line", *where)
    dashboard.wait_for("Ctrl-C")
    (address,) = re.findall(r"^http://127\.0\.0\.1:(\d+)/dashboard/studies/(\d+) ", dashboard.out)
    port, number = map(int, address)
    api = f"http://127.0.0.1:{port}/api/studies/{number}"
    with socket.socket() as elsewhere:  # another address of this machine
        assert elsewhere.connect_ex(("127.0.0.2", port)) != 0
    shown = ask(api)
    assert shown["objective_names"] == ["val_loss"]
    assert [trial["state"].upper() for trial in shown["trials"]] == stored(project)

    ask(f"{api}/note", body="looks good", version=1)
    going_on = project.start("tune", "tune.yaml")
    while not (going_on.notes / "status").exists():
        ask(api)
        time.sleep(0.2)
    finished = going_on.wait()
    assert (finished.status, finished.err, finished.trained[0]) == (0, "", 2)
    states = stored(project)
    assert len(states) == 4
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/csv/{number}") as answer:
        rows = csv.DictReader(answer.read().decode().splitlines())
    assert [row["State"] for row in rows] == states

    best = optuna(project, "best-trial")
    assert f"best: trial {best['number']}," in finished.out
    assert list(best["value"]) == ["val_loss"]
    dashboard.send(signal.SIGINT)
    ended = dashboard.wait()
    assert (ended.status, ended.err) == (130, "autolr: error: interrupted\n")

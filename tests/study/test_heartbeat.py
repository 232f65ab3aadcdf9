import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from autolr.errors import StorageBusyError, StorageError
from autolr.study import Heartbeat, Lease, check_unheld, open_study

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


def test_a_process_of_this_host_is_dead_as_soon_as_it_is() -> None:
    process = subprocess.Popen(SLEEP)
    lease = Lease.of(process.pid)
    assert lease.held
    process.kill()
    while lease.held:  # a zombie is dead, though its number is taken
        time.sleep(0.001)
    assert process.wait() == -signal.SIGKILL
    assert not lease.held


def test_a_process_that_got_the_number_of_a_dead_one_is_another() -> None:
    assert Lease.of().held
    assert not replace(Lease.of(), started="1").held


def test_a_process_from_before_the_last_boot_is_dead() -> None:
    assert not replace(Lease.of(), boot="another").held


def test_a_process_of_another_host_is_believed_for_a_while() -> None:
    far = replace(Lease.of(), host="far", boot="b")
    assert far.held
    assert not replace(far, until=time.time() - 1).held


def test_a_lease_survives_json() -> None:
    lease = Lease.of()
    assert Lease.from_dict(json.loads(json.dumps(lease.to_dict()))) == lease


def test_ending_a_lease_kills_the_process_with_what_it_started() -> None:
    script = (
        "import subprocess, sys; p = subprocess.Popen(sys.argv[1:]); "
        "print(p.pid, flush=True); p.wait()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, *SLEEP],
        start_new_session=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    child = Lease.of(int(process.stdout.readline()))
    replace(Lease.of(process.pid), started="1").end()  # of another process: nothing happens
    assert child.held
    Lease.of(process.pid).end()
    assert process.wait() == -signal.SIGKILL
    process.stdout.close()
    end = time.monotonic() + 5
    while child.held and time.monotonic() < end:
        time.sleep(0.01)
    assert not child.held


def test_a_driver_on_another_host_keeps_the_study(url: str) -> None:
    handle = open_study(url, "digits")
    check_unheld(url, "digits")
    heartbeat = Heartbeat(handle)
    heartbeat.renew()
    check_unheld(url, "digits")  # it is us
    handle.set_attr("driver", replace(Lease.of(), host="far", boot="b").to_dict())
    with pytest.raises(StorageBusyError, match=f"in use by process {os.getpid()} on far"):
        check_unheld(url, "digits")
    handle.set_attr("driver", replace(Lease.of(), host="far", until=time.time() - 1).to_dict())
    check_unheld(url, "digits")
    heartbeat.end()
    check_unheld(url, "digits")


@pytest.mark.parametrize("replaced", [False, True])
def test_a_database_that_is_deleted_under_a_driver_is_missed(
    url: str, tmp_path: Path, *, replaced: bool
) -> None:
    heartbeat = Heartbeat(open_study(url, "digits"))
    heartbeat.check()
    (file,) = tmp_path.glob("*.db")
    file.rename(tmp_path / "elsewhere")
    if replaced:
        file.touch()
    with pytest.raises(StorageError, match=r"was deleted or replaced while study 'digits' ran"):
        heartbeat.renew()

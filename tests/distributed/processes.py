"""Two processes that run a module of tests together, each as one rank."""
# mypy: allow-untyped-calls, allow-untyped-defs

import os
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import torch

ROOT = Path(__file__).parents[2]
START = f"""
import runpy, sys, types
tests = types.ModuleType("tests")  # another package of this name may be installed
tests.__path__ = [{str(ROOT / "tests")!r}]
sys.modules["tests"] = tests
runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
"""


def outcomes_of(module, folder, *chosen):
    """Run a module on two ranks; return a function from the name of a case to what they returned.

    The module gets the folder and what is chosen as its arguments, and writes FOLDER/CASE-RANK.pt.
    """
    port = _free_port()
    processes = [_start(module, rank, port, folder, chosen) for rank in range(2)]
    try:
        for rank, process in enumerate(processes):
            assert process.wait(timeout=400) == 0, (folder / f"log{rank}").read_text()
    finally:
        for process in processes:
            process.kill()

    def outcomes(case):
        ranks = [torch.load(folder / f"{case}-{r}.pt", weights_only=False) for r in range(2)]
        return [SimpleNamespace(folder=folder, **rank) for rank in ranks]

    return outcomes


def _free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def _start(module, rank, port, folder, chosen):
    environment = {
        **{"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2"},
        **{"LOCAL_RANK": str(rank), "RANK": str(rank), "NODE_RANK": "0", "OMP_NUM_THREADS": "1"},
    }
    return subprocess.Popen(
        [sys.executable, "-c", START, module, str(folder), *chosen],
        env={**os.environ, **environment},
        cwd=ROOT,
        stdout=(folder / f"log{rank}").open("w"),
        stderr=subprocess.STDOUT,
    )

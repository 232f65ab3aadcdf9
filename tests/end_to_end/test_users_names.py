"""A study over a profile that the module of the user's model registers."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from examples.scale.chaos import write_project

PROFILE = """
import numpy as np
from autolr.schedules import profile

@profile
def users_profile(k, n):
    return np.minimum(1.0, 2 * (1 - k / n))
"""


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["1", "2"])
def test_each_process_knows_the_profile(tmp_path: Path, workers: str) -> None:
    write_project(tmp_path, trials=2)
    (module := tmp_path / "chaos_line.py").write_text(module.read_text() + PROFILE)
    (config := tmp_path / "tune.yaml").write_text(
        config.read_text().replace("[linear, wsd]", "users_profile") + f"  workers: {workers}\n"
    )
    for command in (["tune", "tune.yaml"], ["fit", "autolr_runs/chaos/best.yaml"]):
        done = subprocess.run(
            [sys.executable, "-m", "autolr", *command],
            cwd=tmp_path,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    assert "kind: users_profile" in (tmp_path / "autolr_runs/chaos/best.yaml").read_text()

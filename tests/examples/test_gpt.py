"""The example with AutoLR in a plain script, on the standard library's own source."""

import subprocess
import sys
from pathlib import Path

import autolr

SCRIPT = Path(__file__).parents[2] / "examples" / "gpt" / "train.py"


def test_the_gpt_trains_and_its_result_replays(tmp_path):
    command = [sys.executable, str(SCRIPT), "--steps", "60", "--save-to", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=True)
    result = autolr.load_result(tmp_path)
    assert result.probe_steps > 0
    assert result.price <= 1.25
    assert f"peak {result.peak:.3g}" in done.stdout
    losses = [line for line in done.stdout.splitlines() if line.startswith("val_loss ")]
    loss = float(losses[-1].split()[1])
    assert loss < 5  # nats a byte; a guess among 256 bytes costs 5.55

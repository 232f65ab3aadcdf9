"""The example with AutoLR in a plain script, on the standard library's own source."""

import runpy
import sys
from pathlib import Path

import pytest

import autolr

SCRIPT = Path(__file__).parents[2] / "examples" / "gpt" / "train.py"


@pytest.mark.slow
def test_the_gpt_trains_and_its_result_replays(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), "--steps", "60", "--save-to", str(tmp_path)])
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(SCRIPT), run_name="__main__")
    shown = capsys.readouterr().out
    result = autolr.load_result(tmp_path)
    assert result.probe_steps > 0
    assert result.price <= 1.25
    assert f"peak {result.peak:.3g}" in shown
    losses = [line for line in shown.splitlines() if line.startswith("val_loss ")]
    loss = float(losses[-1].split()[1])
    assert loss < 5  # nats a byte; a guess among 256 bytes costs 5.55

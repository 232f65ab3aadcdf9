"""What a user of AutoLR reads during and after a run."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import logging

import pytest

from autolr import load_result
from autolr.callbacks import AutoLR
from tests.callbacks.runs import LR, fit

LONG = {"max_epochs": -1, "max_steps": 80}


@pytest.fixture
def printed(caplog, monkeypatch):
    """Return a function that gives the lines printed so far."""
    monkeypatch.setattr(logging.getLogger("lightning.pytorch"), "propagate", True)
    caplog.set_level(logging.INFO, logger="lightning.pytorch")
    return lambda: [line for line in caplog.messages if line.startswith("AutoLR")]


@pytest.mark.filterwarnings("ignore")
def test_a_run_says_its_peak_what_to_expect_and_its_price(tmp_path, printed):
    callback = AutoLR(save_to=tmp_path / "found", monitor="val_acc", mode="max")
    fit(tmp_path, callbacks=[callback], **LONG)
    result = load_result(tmp_path / "found")
    assert result == callback.result
    expected = result.monitor.expected(result.forecast)
    first, *_, closing = printed()
    ends = [scored.horizon for scored in result.scores if scored.kept]
    assert first in [f"AutoLR: peak {_peak(result):.3g} at step {end} of 80" for end in ends]
    last = max(end for end in ends if end <= 0.6 * 80)
    assert f"AutoLR: step {last}: expected val_acc {expected} after 80 steps" in printed()
    probes = f"{len(result.scores)} probes, {result.probe_steps} steps beside the run's 80"
    lost = f"; rollbacks discarded {result.discarded_steps} steps: " if result.rollbacks else ""
    assert closing.startswith(f"AutoLR: peak {result.peak:.3g} after {probes}{lost}")
    page = (tmp_path / "found" / "result.html").read_text("utf-8")
    assert "val_acc expected at the end" in page
    assert expected.split()[0] in page


def _peak(result):
    return [scored for scored in result.scores if scored.kept and scored.horizon <= 8][
        -1
    ].candidate.peak


@pytest.mark.filterwarnings("ignore")
def test_a_run_with_one_rate_says_nothing(tmp_path, printed):
    fit(tmp_path, callbacks=[AutoLR(rates=(LR, LR))])
    assert printed() == []

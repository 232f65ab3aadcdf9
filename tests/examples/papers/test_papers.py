"""The scripts about papers: their parts with known answers, and what their tables rest on."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import itertools
import math

import numpy as np
import pandas as pd
import pytest

from autolr.schedules import linear
from examples.papers import anytime_hyperband, runs, transfer_of_peaks
from examples.time_to_target.loop import CHECKPOINTS, train
from examples.time_to_target.oracle import CURVE
from examples.time_to_target.workloads import make


def test_the_best_peak_of_a_parabola_is_its_vertex():
    peaks = np.geomspace(0.01, 1.0, 9)
    losses = np.exp((np.log(peaks) - math.log(0.1)) ** 2)
    peak, loss = runs.best_of(peaks.tolist(), losses.tolist())
    assert peak == pytest.approx(0.1, rel=1e-3)
    assert loss == pytest.approx(1.0, rel=1e-3)


def test_runs_are_made_once_and_are_those_of_the_plain_loop(tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "_FILE", tmp_path / "runs.csv")
    configs = [(0.3, "fall"), (1.0, "fall")]
    made = runs.finals("logreg_digits", configs, {"fall": linear()}, seeds=(0, 1), scale=0.02)
    task = make("logreg_digits", 1, 0.02)
    expected = train(task, task.make_optimizer(1.0), linear()).final
    assert made.shape == (2, 2)
    assert made[1, 1] == pytest.approx(expected, rel=1e-4)
    monkeypatch.setattr(runs, "_trained", None)  # a second call reads the file
    again = runs.finals("logreg_digits", configs, {"fall": linear()}, seeds=(0, 1), scale=0.02)
    assert again.tolist() == made.tolist()


def test_hyperband_spends_what_it_should_and_finishes_the_best_of_sure_curves():
    """Bracket 3: 27 runs to 1/27, 9 to 1/9, 3 to 1/3, one to the end: 1 + 2/3 + 2/3 + 2/3 runs."""
    finals = np.linspace(1.0, 2.0, 30)
    curves = pd.DataFrame(
        {name: finals + 1 / k for name, k in zip(CURVE, CHECKPOINTS, strict=True)}
    )
    order = np.random.default_rng(0)
    events = list(itertools.islice(anytime_hyperband._hyperband(curves, order, (3,)), 4))
    assert [spent for spent, _ in events] == pytest.approx([1, 5 / 3, 7 / 3, 3])
    drawn = np.random.default_rng(0).integers(30, size=27)
    assert events[-1][1] == pytest.approx(finals[drawn].min() + 1 / 27)


def test_moved_peaks_lose_less_than_a_quarter_of_what_peaks_left_alone_lose():
    """The last lines of the tables of transfer_of_peaks, which its page states."""
    alone, moved = (
        transfer_of_peaks._mean(place)
        for place in (transfer_of_peaks._alone, transfer_of_peaks._bound)
    )
    assert 0 < moved < alone / 4

"""What `print` and a notebook show of a result."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import math
import re
from dataclasses import replace

import pytest

from autolr import schedules
from autolr.candidate import Candidate
from autolr.online import ProbeScore, RollbackRecord
from autolr.online.forecast import Forecast
from autolr.online.monitor import Monitor
from autolr.result import Result

SCHEDULE = schedules.warmup(7) | schedules.constant() | schedules.cooldown(0.2)
CUT = schedules.constant().over(20) | schedules.constant() * 0.25  # by a later check
SCORES = tuple(
    ProbeScore(Candidate(peak=10.0**-n, schedule=SCHEDULE), 5, horizon, 0.5 + n, kept=n == 1)
    for horizon in (20, 60)
    for n in range(3)
)
RESULT = Result(
    0.1,
    SCHEDULE,
    SCORES,
    probe_steps=50,
    total_steps=200,
    validation_passes=6,
    forecast=Forecast(0.3, 0.25, 0.4),
    monitor=Monitor("val_loss", "min"),
)


def test_a_result_is_printed_in_five_entries():
    assert str(RESULT).splitlines() == [
        "peak       0.1, by 6 scores of val_loss",
        f"schedule   {SCHEDULE}",
        "price      1.25 runs: 200 steps of the run, 50 beside it, 6 validation passes",
        "expected   val_loss 0.3 (0.25 to 0.4) at the end",
        "rollbacks  none",
    ]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"rule": "lion"}, "peak       lion, 0.1, by 6 scores of val_loss"),
        ({"scores": (), "forecast": None}, "peak       0.1: 200 steps are too few to search"),
        (
            {"own_peak": 0.05, "schedule": schedules.constant()},
            "schedule   that of the module's own scheduler, times 2",
        ),
        (
            {"own_peak": 0.05, "schedule": CUT},
            f"schedule   that of the module's own scheduler, times 2 and, by step, {CUT}",
        ),
        ({"scores": (), "total_steps": 1}, "peak       0.1: 1 step is too few to search"),
        (
            {"scores": SCORES[:1], "total_steps": 1, "validation_passes": 1},
            "price      51 runs: 1 step of the run, 50 beside it, 1 validation pass",
        ),
        ({"stopped_at": 100}, "price      1.5 runs: 100 steps of the run, 50 beside it,"),
        ({"stopped_at": 100}, "expected   nothing: the run ended after 100 of 200 steps"),
        ({"forecast": None}, "expected   unknown: there were too few scores"),
        (
            {"rollbacks": (RollbackRecord(60, 20, 0.5, 0.5), RollbackRecord(90, 60, 0.4, 0.5))},
            "rollbacks  2: step 60 to 20, 90 to 60, each to a lower rate; they discarded 70 "
            "steps, so a replay from scratch is another run",
        ),
    ],
)
def test_each_entry_says_what_was_done(changes, line):
    entries = re.split(r"\n(?! )", str(replace(RESULT, **changes)))
    assert len(entries) == 5
    assert any(line in " ".join(entry.split("\n           ")) for entry in entries)


def test_a_long_schedule_is_broken_at_its_operators_within_80_columns():
    schedule = SCHEDULE
    for step in (23, 182):
        schedule *= schedules.constant().over(step) * 0.25 | schedules.constant() * 4.0
    _, first, *more = str(replace(RESULT, schedule=schedule)).split("\n")
    lines = [first, *(line for line in more if line.startswith(" "))]
    assert [len(line) <= 80 for line in lines] == [True] * len(lines)
    assert " ".join(line[11:] for line in lines) == str(schedule)
    assert len(lines) > 2
    assert all(line[11] in "*|" for line in lines[1:])


def test_a_result_without_a_comparison_says_what_the_run_kept():
    scores = tuple(replace(score, score=math.inf) for score in SCORES)
    blind = replace(RESULT, peak=None, kept_peak=0.01, scores=scores)
    said = "peak       none: of 6 scores of val_loss none was finite; the run kept 0.01"
    assert str(blind).splitlines()[0] == said


def test_the_repr_is_short_however_many_scores_there_are():
    many = replace(RESULT, scores=SCORES * 500)
    assert len(repr(many)) < 300
    assert "peak=0.1" in repr(many)


def test_a_notebook_shows_the_page_in_a_frame_that_closes():
    html = RESULT._repr_html_()
    assert html.startswith("<iframe ")
    assert html.endswith("</iframe>")
    assert html.count("<") == 2  # the page's own tags are quoted
    assert "Peak rate 0.1" in html


def test_the_figure_has_the_rates_the_run_and_its_rate(monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "agg")
    result = replace(RESULT, rollbacks=(RollbackRecord(60, 20, 0.5, 0.5),))
    figure = result.plot()
    rates, run, rate = figure.axes
    assert list(rates.lines[0].get_xdata()) == sorted(
        probe.rate(200) for probe in SCORES if probe.horizon == 20
    )
    assert list(run.lines[0].get_xdata()) == [20, 60]
    assert list(run.lines[0].get_ydata()) == [1.5, 1.5]
    assert max(rate.lines[0].get_ydata()) == pytest.approx(0.1)
    assert len(rate.lines[0].get_xdata()) == 200
    assert rates.get_xscale() == "log"
    assert figure.canvas.get_supported_filetypes()["png"]


def test_a_figure_without_matplotlib_is_one_line(monkeypatch):
    import sys

    from autolr.errors import ConfigError

    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ConfigError, match=r"needs matplotlib: pip install 'matplotlib>="):
        RESULT.plot()

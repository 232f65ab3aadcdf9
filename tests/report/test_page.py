"""The page of a study, its charts, and what it says the study came to."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import math
import random
import re
import xml.etree.ElementTree as ET
from datetime import datetime, timedelta
from html import unescape

import pytest

from autolr import schedules
from autolr.report import study_charts, study_page
from autolr.report.curves import curve
from autolr.report.files import write_report
from autolr.report.price import progress
from autolr.report.rungs import Rung, rungs
from autolr.study import Hyperband, Summary, TrialRecord

START = datetime(2026, 1, 1)
SPACE = {
    "lr": {"low": 1e-4, "high": 1.0, "log": True, "type": "float"},
    "schedule": {"choices": ["linear", "cosine", "wsd"]},
}
PRINT = {"monitor": "val_loss", "space": SPACE}


def trial(number, value=None, params=None, *, state=None, scores=None, cost=None, **attrs):
    """Return a trial of a minute that began in the minute of its number."""
    state = state or ("PRUNED" if value is None else "COMPLETE")
    began = START + timedelta(minutes=number)
    ended = None if state in ("RUNNING", "WAITING") else began + timedelta(seconds=59)
    return TrialRecord(number, state, value, params or {}, attrs, scores or {}, began, ended, cost)


def study(*trials, name="digits", direction="minimize", fingerprint=PRINT):
    return Summary(name, direction, fingerprint, {}, tuple(trials))


def page(summary, results=None):
    return study_page(summary, results, study_charts(summary, results))


def found(peak, kind="linear"):
    return {"rule": "fixed", "peak": peak, "schedule": schedules.parse(kind).to_dict()}


def full(number, value, lr=0.1, steps=900, **more):
    """Return a trial that ran to its end, as autolr leaves it."""
    attrs = {"candidate": "c", "steps": steps, "run_steps": 900, "seconds": 9.0}
    attrs |= {"found": found(lr), "metrics": {"val_loss": value}, **more}
    return trial(number, value, {"lr": lr, "schedule": "linear"}, **attrs)


def mixed():
    """Return a study in which trials ended in all ways."""
    return study(
        full(0, 0.5, 0.01, bracket=0, promoted=300),
        full(1, 0.2, 0.1, bracket=1),
        trial(2, None, {"lr": 0.3, "schedule": "cosine"}, scores={100: 0.9}, bracket=0),
        trial(
            3,
            None,
            {"lr": 1.0, "schedule": "wsd"},
            scores={100: math.nan},
            bracket=0,
            reason="diverged",
            steps=120,
            candidate="c",
        ),
        trial(4, None, {"lr": 0.2, "schedule": "wsd"}, state="FAIL", reason="ValueError: <b> & ü"),
        trial(5, None, {"lr": 0.02, "schedule": "wsd"}, state="RUNNING"),
    )


def big(trials=500):
    """Return a study of many trials and parameters, pruned by Hyperband."""
    rng, hyperband, made = random.Random(1), Hyperband(100, 2700), []
    for number in range(trials):
        bracket, value = hyperband.bracket_of(number), rng.uniform(0.1, 3.0)
        params = {"lr": 10 ** rng.uniform(-4, 0), "schedule": rng.choice(["linear", "wsd"])}
        params |= {f"model.init_args.number_{k}": rng.random() for k in range(5)}
        scores = {step: value + 100 / step for step in hyperband.rungs(bracket)}
        attrs = {"bracket": bracket, "candidate": "c", "steps": 2700, "run_steps": 2700}
        attrs["found"] = found(params["lr"])
        ends = value if rng.random() < 0.3 or not scores else None
        made.append(trial(number, ends, params, scores=scores, **attrs))
    return study(*made)


def rows(text, heading):
    """Return the cells of the table below a heading, its first row apart."""
    table = re.search(f"{heading}</h.>.*?<table.*?</table>", text, re.DOTALL)[0]
    lines = re.findall("<tr.*?</tr>", table, re.DOTALL)[1:]
    return [[unescape(cell) for cell in re.findall("<td.*?>(.*?)</td>", line)] for line in lines]


def dots(chart):
    return list(ET.fromstring(chart.frame.svg(*chart.marks, label="")).iter("circle"))


ODD = [
    study(),
    study(trial(0, state="RUNNING")),
    study(trial(0, state="FAIL", reason="x", lr=1)),
    study(full(0, 0.5)),
    study(*(trial(k, 0.0, {"x": k}) for k in range(3)), fingerprint={}),
    study(trial(0, math.inf, {"x": 1}), trial(1, -1.0, {"x": True}), fingerprint={}),
    study(*(trial(k, None, {"x": k}, scores={5: math.nan}, reason="diverged") for k in range(3))),
    study(full(0, 0.5, found={"rule": "of a later version"})),
    mixed(),
]


@pytest.mark.parametrize("summary", ODD)
def test_whatever_a_study_holds_it_has_a_page_that_needs_nothing_else(summary):
    text = page(summary)
    for outside in ("http:", "https:", "src=", "href=", "<script", "@import", "url("):
        assert outside not in text
    for chart in study_charts(summary, None).values():
        ET.fromstring(chart.html().partition('<div class="key">')[0])
        ET.fromstring(chart.file())


def test_names_cannot_become_markup():
    name = "<script>alert('&\"')</script>é"
    made = [trial(k, 0.1 * k, {name: k % 2, "kind": name * (k % 2)}, reason=name) for k in range(4)]
    summary = study(*made, name=name, fingerprint={"monitor": name})
    text = page(summary)
    assert "<script" not in text
    assert name in unescape(text)
    assert all(ET.fromstring(chart.file()) for chart in study_charts(summary, None).values())


def test_the_counts_and_steps_of_the_page_are_those_of_its_table():
    summary = mixed()
    text = page(summary)
    listed = rows(text, "All trials")
    assert [row[0] for row in listed] == ["1", "0", "2", "3", "4", "5"]
    states = [row[1] for row in listed]
    priced = {row[0]: row for row in rows(text, "What it cost")}
    assert {word: int(priced[word][1]) for word in priced} == {
        "complete": states.count("complete"),
        "pruned": states.count("pruned"),
        "failed": states.count("fail"),
        "running": states.count("running"),
        "all": len(states),
    }
    assert priced["all"][2:5] == ["1,920", "100%", "2.13"]  # 900 + 900 + 120, in runs of 900
    assert "at least 1,920 optimizer steps" in text  # of trial 2 nothing is known


def test_what_went_wrong_is_said_with_its_reason():
    text = page(mixed())
    assert [row[2] for row in rows(text, "All trials")] == ["0.2", "0.5", "0.9", "diverged", "", ""]
    wrong = {row[0]: row[1:4] for row in rows(text, "What went wrong")}
    assert wrong == {
        "diverged": ["pruned", "1", "3"],
        "ValueError: <b> & ü": ["fail", "1", "4"],
    }


@pytest.mark.parametrize(("direction", "best"), [("minimize", 0.25), ("maximize", 0.75)])
def test_the_best_trial_is_the_best_in_the_direction_of_the_study(direction, best):
    summary = study(
        *(full(k, value) for k, value in enumerate([0.5, 0.25, 0.75])), direction=direction
    )
    text = page(summary)
    assert f"<h1>Study digits: val_loss {best}</h1>" in text
    assert rows(text, "How sure")[0][1:3] == [str(best), "best"]
    assert progress(summary)[-1][1] == best


@pytest.mark.parametrize("sign", [1, -1])
def test_the_best_so_far_only_improves_and_ends_at_the_best_of_all(sign):
    rng = random.Random(0)
    for _ in range(20):
        made = [full(k, rng.random(), steps=rng.randint(1, 900)) for k in range(30)]
        rng.shuffle(made)
        points = progress(study(*made, direction="minimize" if sign > 0 else "maximize"))
        steps, values = [step for step, _ in points], [sign * value for _, value in points]
        assert steps == sorted(steps)
        assert values == sorted(values, reverse=True)
        assert len(set(values)) == len(values)
        assert values[-1] == min(sign * one.value for one in made)


def test_a_value_is_paid_for_by_all_trials_begun_before_it():
    paused = trial(0, None, scores={100: 0.9}, steps=100, candidate="c")  # over at the very end
    late = TrialRecord(**{**_fields(paused), "ended": START + timedelta(hours=1)})
    assert progress(study(late, full(1, 0.5), full(2, 0.4))) == [(1000, 0.5), (1900, 0.4)]


def test_rungs_count_who_was_judged_and_who_went_on():
    made = [
        full(0, 0.5, bracket=0, promoted=300),
        trial(1, None, scores={100: 0.7, 300: 0.6}, bracket=0, promoted=100),
        trial(2, None, scores={100: math.nan}, bracket=0),
        full(3, 0.5, bracket=1),
        trial(4, state="RUNNING", scores={100: 0.65}, bracket=0, promoted=100),
    ]
    made[0] = TrialRecord(**{**_fields(made[0]), "scores": {100: 0.8, 300: 0.55}})
    rows = rungs(study(*made))
    assert rows[:2] == [Rung(0, 100, 4, 3, 0.65), Rung(0, 300, 2, 1, 0.55)]
    assert rows[2].step is None
    assert (rows[2].judged, rows[2].passed) == (1, 1)
    assert rungs(study(full(0, 0.5))) == []


def test_the_step_at_which_a_run_stopped_early_is_no_rung():
    stopped = {"stopped_at": 140, "stopped_value": 0.2, "off_rung": 140, "bracket": 0}
    made = study(
        full(0, 0.5, bracket=1),
        trial(1, scores={100: 0.7}, bracket=0),
        trial(2, scores={100: 0.6, 140: 0.2}, reason="the run stopped early", **stopped),
    )
    assert [(rung.step, rung.judged) for rung in rungs(made)] == [(100, 2), (None, 1)]
    text = page(made)
    assert "1 complete, 1 pruned, 1 stopped early" in text
    assert "<td>stopped early</td><td>0.2</td>" in text


def test_peaks_of_online_searches_are_shown_on_a_log_axis_at_their_scores():
    made = [full(k, 0.1 * (k + 1), lr) for k, lr in enumerate([0.01, 0.02, 0.04])]
    online = [TrialRecord(**{**_fields(one), "params": {"lr": "online"}}) for one in made]
    chart = study_charts(study(*online, fingerprint={**PRINT, "space": {}}), None)["parameter_lr"]
    across = sorted(float(dot.get("cx")) for dot in dots(chart))
    assert across[1] - across[0] == pytest.approx(across[2] - across[1], abs=0.2)
    up = [float(dot.get("cy")) for dot in sorted(dots(chart), key=lambda dot: float(dot.get("cx")))]
    assert up == sorted(up, reverse=True)  # lower is better, and lower in the chart
    assert [row[2] for row in rows(page(study(*online)), "How sure")] == ["best", "100 %", "200 %"]


def test_choices_are_in_the_order_of_the_space_and_a_failed_one_is_at_the_edge():
    chart = study_charts(mixed(), None)["parameter_schedule"]
    assert chart.frame.x.names == ("linear", "cosine", "wsd")
    titles = {dot.find("title").text: dot for dot in dots(chart)}
    bottom = 28  # the top of the chart, where lower is better
    for message in ("trial 3: diverged at wsd", "trial 4: failed at wsd"):
        assert float(titles[message].get("cy")) == bottom
        assert titles[message].get("class") == "bad"


def test_the_front_has_the_trials_that_none_beats():
    rng = random.Random(3)
    made = [trial(k, rng.random(), cost=float(rng.randint(1, 9)), steps=9) for k in range(40)]
    fingerprint = {"monitor": "val_loss", "objective": ["val_loss", "cost"]}
    chart = study_charts(study(*made, fingerprint=fingerprint), None)["front"]
    kept = [dot.find("title").text for dot in dots(chart) if "kept" in dot.get("class")]
    best = [
        one.number
        for one in made
        if not any(
            (other.value <= one.value and other.cost <= one.cost)
            and (other.value, other.cost) != (one.value, one.cost)
            for other in made
        )
    ]
    assert sorted(int(re.search(r"\d+", message)[0]) for message in kept) == best
    assert chart.frame.x.label == "steps"


def test_a_curve_is_what_was_logged_else_what_the_study_knows(tmp_path):
    one = trial(7, 0.25, scores={44: 0.5, 132: math.nan}, steps=396, candidate="c")
    assert curve(one, "val_loss", tmp_path) == [(44.0, 0.5), (396.0, 0.25)]
    (tmp_path / "trial_7").mkdir()
    lines = [
        '{"step": 43, "val_loss": 1.5}',
        '{"step": 49, "train_loss": 2}',
        "[1]",
        '{"step": 87,',
    ]
    lines.insert(1, '{"step": 60, "val_loss": null}')
    lines.insert(2, '{"step": 87, "val_loss": 0.75}')
    (tmp_path / "trial_7" / "metrics.jsonl").write_text("\n".join(lines))
    assert curve(one, "val_loss", tmp_path) == [(44.0, 1.5), (88.0, 0.75)]


def test_the_command_is_shown_where_best_yaml_is_of_the_best_trial(tmp_path):
    summary, file = study(full(0, 0.5), full(1, 0.4)), tmp_path / "best.yaml"
    file.write_text("# The best candidate of study digits (trial 0, val_loss 0.5).\n")
    assert "autolr fit" not in page(summary, tmp_path)
    file.write_text("# The best candidate of study digits (trial 1, val_loss 0.4).\n")
    assert f"<pre>autolr fit {file.as_posix()}</pre>" in page(summary, tmp_path)


def test_the_page_of_500_trials_stays_small(tmp_path):
    summary = big()
    text = page(summary)
    assert len(text) < 1_000_000
    assert len(rows(text, "All trials")) == 500


def test_charts_whose_names_are_alike_have_files_of_their_own(tmp_path):
    made = [trial(k, 0.1 * k, {"a<": k, "a>": -k, "a_": 2 * k}) for k in range(3)]
    _, table, *charts = write_report(study(*made), None, tmp_path)
    assert len({file.name for file in charts if "parameter" in file.name}) == 3
    assert all(ET.parse(file) for file in charts)
    assert len(table.read_text().splitlines()) == 4


def _fields(record):
    return {name: getattr(record, name) for name in record.__slots__}


def test_what_mattered_is_said_with_enough_trials():
    draw = random.Random(1)
    trials = []
    for number in range(30):
        lr = 10 ** draw.uniform(-4, 0)
        trials.append(full(number, abs(math.log10(lr) + 1), lr))
    assert "what decided about val_loss (PED-ANOVA): lr 100%" in page(study(*trials))
    assert "PED-ANOVA" not in page(study(*trials[:9]))

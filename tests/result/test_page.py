"""The page of a result, what it says of the run, and the forecast of its end."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import json
import math
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from html import escape, unescape

import pytest
import torch

from autolr import load_result, schedules
from autolr.candidate import Candidate
from autolr.online import (
    AnnealedState,
    Forecast,
    Monitor,
    Observation,
    ProbeScore,
    Progress,
    Rollback,
    RollbackRecord,
    Round,
    Save,
    Search,
    expected_end,
)
from autolr.online.reschedule import scaled
from autolr.result import Result, closing, progress_lines
from autolr.result.page import result_page, snippet

SCHEDULE = schedules.warmup(7) | schedules.constant() | schedules.cooldown(0.4, "linear")
RUN = Candidate(peak=0.1, schedule=SCHEDULE)
HALF = scaled(RUN, 100, 0.5, refines=False)


def scored(horizon, score, candidate=RUN, *, kept=True, start=0):
    return ProbeScore(candidate, start, horizon, score, kept)


RACE = [scored(20, math.inf, Candidate(peak=1.0), kept=False), scored(20, 2.0)]
FALLING = [scored(step, 1 + math.exp(-step / 100)) for step in range(50, 1000, 50)]


@pytest.fixture
def result():
    scores = (*RACE, *FALLING[:4], scored(250, 1.9, HALF), *FALLING[5:])
    rollbacks = (RollbackRecord(250, 200, 0.5, 1.9),)
    forecast = expected_end(scores, rollbacks, 1000)
    return Result(0.1, SCHEDULE, scores, 50, 1000, 19, rollbacks, forecast=forecast)


def trees(text):
    """Return the charts of a page; they are well-formed XML."""
    return [ET.fromstring(chart) for chart in re.findall("<svg.*?</svg>", text, re.DOTALL)]


def test_the_end_of_an_exponential_is_forecast_from_its_first_60_percent():
    early = [one for one in FALLING if one.horizon <= 600]
    for scores in (early, [*early, *(replace(one, score=9.0) for one in FALLING[12:])]):
        actual = expected_end(scores, (), 1000)
        assert actual.loss == pytest.approx(1 + math.exp(-10), abs=0.01)
        assert actual.low <= actual.loss <= actual.high
    assert expected_end(early[:3], (), 1000) is None


def test_a_run_that_was_put_back_is_forecast_from_the_state_it_continued_with():
    spoilt = replace(FALLING[9], score=50.0)
    scores = [*FALLING[:9], spoilt, *FALLING[10:]]
    back = RollbackRecord(spoilt.horizon, FALLING[8].horizon, 0.5, 50.0)
    honest = [*FALLING[:9], replace(spoilt, score=FALLING[8].score), *FALLING[10:]]
    assert expected_end(scores, [back], 1000) == expected_end(honest, (), 1000)


def test_scores_of_copies_that_were_annealed_are_no_part_of_the_curve():
    copy = replace(FALLING[3], horizon=220, score=0.1, annealed=True)
    mixed = [*FALLING[:4], copy, *FALLING[4:]]
    assert expected_end(mixed, (), 1000) == expected_end(FALLING, (), 1000)


def test_a_forecast_is_saved_and_an_old_file_has_none(result, tmp_path):
    result = replace(result, monitor=Monitor("val_acc", "max"))
    result.save(tmp_path)
    assert load_result(tmp_path) == result
    values = json.loads((tmp_path / "result.json").read_text())
    assert values["forecast"]["loss"] == result.forecast.loss
    del values["forecast"], values["monitor"]
    old = Result.from_dict(values)
    assert (old.forecast, old.monitor) == (None, Monitor())
    assert result_page(old)


def test_accuracies_are_shown_as_they_are_monitored():
    monitor = Monitor("val_acc", "max")
    assert monitor.expected(Forecast(-0.91, -0.95, -0.84)) == "0.91 (0.84 to 0.95)"
    assert Monitor().expected(Forecast(0.42, 0.39, 0.46)) == "0.42 (0.39 to 0.46)"


def test_the_page_has_every_score_and_needs_no_network(result, tmp_path):
    result.save(tmp_path)
    text = (tmp_path / "result.html").read_text("utf-8")
    assert text.count("<tr") == 1 + len(result.scores)
    assert "diverged" in text
    assert "1.05 runs" in text
    for outside in ("http:", "https:", "src=", "href=", "<script", "@import", "url("):
        assert outside not in text
    assert len(text) < 60_000


def test_what_a_user_names_cannot_become_markup(result):
    name = "<script>alert('&\"')</script>"
    text = result_page(replace(result, monitor=Monitor(name)))
    assert "<script" not in text
    assert name in unescape(text)
    assert all(len(tree) for tree in trees(text))


def test_the_charts_place_what_they_get(result):
    rates, run, schedule = trees(result_page(result))
    styles = [circle.get("class") for circle in rates.iter("circle")]
    assert sorted(styles) == ["diverged", "kept"]
    lost = [circle for circle in run.iter("circle") if circle.get("class") == "bad"]
    assert [circle.find("title").text for circle in lost] == ["step 250: score 1.9"]
    (curve,) = [line for line in schedule.iter("polyline") if line.get("class") == "run"]
    points = [tuple(map(float, pair.split(","))) for pair in curve.get("points").split()]
    ups = [y for _, y in points]
    # 720 wide with 62 and 18 at the sides, 196 high with 28 above and 40 below; top at 1.06 peaks
    assert points[0] == (62.0, pytest.approx(156 - 128 / 7 / 1.06, abs=0.06))  # 1 of 7 to rise
    assert min(ups) == pytest.approx(156 - 128 / 1.06, abs=0.06)
    assert points[-1][0] == pytest.approx(62 + 640 * 0.999, abs=0.06)


@pytest.mark.parametrize("scores", [(), tuple(RACE), tuple(RACE[:1]), (scored(20, -3.0),)])
def test_a_page_of_few_or_no_scores_can_be_made(result, scores):
    assert trees(result_page(replace(result, scores=scores, rollbacks=(), forecast=None)))


@pytest.mark.parametrize(
    "schedule", [SCHEDULE, HALF.schedule, schedules.tabulated([0.5, 1.0] * 99)]
)
def test_the_code_of_the_page_replays_the_schedule(result, schedule, tmp_path, monkeypatch):
    result = replace(result, schedule=schedule)
    result.save(tmp_path)
    monkeypatch.chdir(tmp_path)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=result.peak)
    names = {"optimizer": optimizer}
    exec(snippet(result), names)
    for step in range(0, 300):
        assert names["scheduler"].get_last_lr() == [0.1 * schedule.at(step, 1000)]
        optimizer.step()
        names["scheduler"].step()


def test_the_page_of_a_run_with_a_scheduler_of_its_own_has_its_factor(result):
    own = replace(result, own_peak=0.4)
    assert "0.25" in snippet(own)
    assert "0.25" in snippet(replace(own, schedule=schedules.constant()))


@pytest.mark.parametrize("schedule", [HALF.schedule, schedules.tabulated([0.5, 1.0] * 99)])
def test_the_code_of_the_page_follows_what_changed_beside_an_own_scheduler(
    schedule, result, tmp_path, monkeypatch
):
    result = replace(result, own_peak=0.4, schedule=schedule)
    result.save(tmp_path)
    monkeypatch.chdir(tmp_path)
    names = {"Trainer": lambda callbacks: callbacks}
    exec(snippet(result), names)
    (follower,) = names["trainer"]
    assert (follower._candidate, follower._own_peak) == (Candidate("fixed", 0.1, schedule), 0.4)


def test_a_run_that_was_rolled_back_says_that_its_schedule_from_scratch_differs(result):
    assert result.discarded_steps == 50
    told = "# 50 steps that rollbacks discarded are not replayed: from scratch the schedule"
    assert told in snippet(result)
    assert told in snippet(replace(result, own_peak=0.4))
    assert "they discarded 50 steps: from scratch its schedule differs" in result_page(result)
    assert closing(result).endswith(
        "; rollbacks discarded 50 steps: trained from scratch, its schedule gives another run"
    )
    smooth = replace(result, rollbacks=())
    assert "discarded" not in snippet(smooth) + closing(smooth) + result_page(smooth)


def test_the_highest_rate_that_was_applied_stands_on_the_page(result):
    plain, own = replace(result, highest_rate=0.0625), replace(result, own_peak=0.4)
    assert "0.0625" in result_page(plain)
    assert "0.0123" in result_page(replace(own, highest_rate=0.0123))
    cut = replace(own, highest_rate=0.0123, schedule=HALF.schedule)
    assert escape(f"multiplied by 0.25 and by {HALF.schedule}") in result_page(cut)


ROUNDS = (
    Round(0, 20, 6),
    Round(30, 40, 6, (0.5, 2.0), refines=True),
    Round(50, 60, 6, (0.5, 2.0)),
    *(Round(step - 6, step, 6) for step in (80, 110, 140, 190)),
)


def lines(scores, total_steps=200):
    """Play a search; return what is printed, by step."""
    runs = tuple(Candidate(peak=peak, schedule=schedules.constant()) for peak in (0.1, 0.4))
    search, actual = Progress(AnnealedState(Search(runs, ROUNDS, spare=12))), {}
    for values in scores:
        step, before = search.action.horizon, search
        search = search.observe(Observation(step, tuple(values)))
        while isinstance(search.action, Save | Rollback):
            search = search.observe(Observation(step))
        if lines := list(progress_lines(before, search, total_steps, Monitor("val_loss"))):
            actual[step] = lines
    return actual


def test_a_quiet_run_tells_its_peak_and_what_to_expect():
    scores = [[2, 1], [0.9, 0.8, 0.95], [0.8, 0.9, 0.9], [0.7], [0.6], [0.5], [0.4]]
    printed = lines(scores)
    assert printed[40] == ["AutoLR: peak 0.2 at step 40 of 200"]
    (message,) = printed[110]  # the last score in the first 120 steps
    assert message.startswith("AutoLR: step 110: expected val_loss 0.")
    assert message.endswith(") after 200 steps")
    assert set(printed) == {40, 110}


def test_each_time_that_a_race_shows_nothing_has_a_line():
    runs = tuple(Candidate(peak=peak, schedule=schedules.constant()) for peak in (0.1, 0.4, 1.6))
    state = AnnealedState(Search(runs, ROUNDS, fallback=("fixed", 0.1), spare=200))
    before = Progress(state)
    after = before.observe(Observation(20, (2.0, 2.0, 2.0), initial=2.0))
    again = after.observe(Observation(40, (2.0, 2.0, 2.0), initial=2.0))
    for one, other, step in [(before, after, 20), (after, again, 40)]:
        assert list(progress_lines(one, other, 200, Monitor("val_loss"))) == [
            f"AutoLR: step {step}: no rate has gained enough yet; 0.1, 1.6, 6.4 race on to step "
            f"{step + 20}"
        ]


def test_the_rate_that_was_set_has_a_line_where_it_trains_on_and_where_it_is_better():
    runs = tuple(Candidate(peak=peak, schedule=schedules.constant()) for peak in (0.1, 0.4))
    rounds = (ROUNDS[0], replace(ROUNDS[1], start=20), *ROUNDS[2:])
    before = Progress(AnnealedState(Search(runs, rounds, fallback=("fixed", 0.1), spare=200)))
    raced = before.observe(Observation(20, (1.2, 1.0), initial=2.0)).observe(Observation(20))
    checked = raced.observe(Observation(40, (0.9, 1.0, 1.1, 0.95), initial=2.0))
    checked = checked.observe(Observation(40))
    judged = checked.observe(Observation(60, (0.8, 0.5), initial=2.0)).observe(Observation(60))
    steps = [(before, raced), (raced, checked), (checked, judged)]
    printed = [list(progress_lines(*pair, 200, Monitor("val_loss"))) for pair in steps]
    assert printed == [
        ["AutoLR: step 20: 0.1, the rate that was set, trains on beside the run"],
        [],
        [
            "AutoLR: step 60: the rate that was set, 0.1, is better",
            "AutoLR: peak 0.1 at step 60 of 200",
        ],
    ]


def test_later_changes_have_a_line_each():
    copy_of_60 = [0.83, 0.49, 0.83]
    scores = [[2, 1], [0.9, 0.902, 0.902], [0.8, 0.5, 0.9], [0.845], copy_of_60, [0.48]]
    printed = lines(scores)
    assert printed[60] == ["AutoLR: step 60: rate x0.5"]
    assert printed[86] == [
        "AutoLR: step 86: val_loss was 0.845 at step 80, 0.5 at step 60: a copy of step 60, "
        "trained beside the run since then at rate x0.5, replaces it"
    ]
    assert printed.keys() - {110} == {40, 60, 86}  # 110: a forecast


def test_a_loss_that_is_not_finite_has_a_line():
    state = AnnealedState(Search((RUN,), ROUNDS[3:], scores=(*RACE,), best=(60, 0.5)))
    search = Progress(state, scores=(*RACE,), best=(60, 0.5))
    lost = search.observe(Observation(70, (math.inf,), lost=True))
    (message,) = progress_lines(search, lost, 200, Monitor("val_loss"))
    assert message == "AutoLR: step 70: the loss diverged: back to step 60, rate x0.5"


def test_the_code_of_the_page_replays_several_optimizers_by_one_factor(result):
    several = replace(result, own_rates=(("Muon", 0.025), ("AdamW", 0.001)))
    assert several.factor == 4
    code = snippet(several)
    assert "Muon 0.025 -> 0.1, AdamW 0.001 -> 0.004" in code
    assert "(every rate x4)" in closing(several)
    rates = [rate * several.factor for _, rate in several.own_rates]
    weight = torch.zeros(1, requires_grad=True)
    optimizers = [torch.optim.SGD([weight], lr=rate) for rate in rates]
    names = {"optimizers": optimizers}
    exec(code, names)
    for scheduler, rate in zip(names["schedulers"], rates, strict=True):
        assert scheduler.get_last_lr() == [rate * several.schedule.at(0, several.total_steps)]

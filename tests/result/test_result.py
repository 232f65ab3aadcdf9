"""What a search found, written and read again."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import json
import math
from dataclasses import replace

import pandas as pd
import pytest

from autolr import load_result, schedules
from autolr.candidate import Candidate
from autolr.errors import ConfigError
from autolr.online import ProbeScore, RollbackRecord
from autolr.online.reschedule import scaled
from autolr.result import Result

SCHEDULE = schedules.warmup(7) | schedules.constant() | schedules.cooldown(0.2, "1-sqrt")


@pytest.fixture
def result():
    losses = (0.1 + 0.2, math.inf, 5e-324, -1.5)
    scores = tuple(
        ProbeScore(Candidate(peak=10.0**-n, schedule=SCHEDULE), 5, 20, loss, kept=n == 0)
        for n, loss in enumerate(losses)
    )
    rollbacks = (RollbackRecord(60, 20, 0.5, 1 / 3), RollbackRecord(64, 20, 0.5, math.inf))
    return Result(1 / 3, SCHEDULE, scores, 50, 200, validation_passes=4, rollbacks=rollbacks)


def test_the_factor_of_an_own_scheduler_is_there_where_it_was_followed(result, tmp_path):
    assert result.factor is None
    own = replace(result, own_peak=1 / 6)
    assert own.factor == 2
    own.save(tmp_path)
    assert load_result(tmp_path) == own


def test_the_highest_rate_grows_with_the_steps_and_is_saved(result, tmp_path):
    assert result.highest_rate is None
    assert result.applying(math.nan) is result
    risen = result.applying(0.25).applying(0.5).applying(0.125)
    assert risen == replace(result, highest_rate=0.5)
    risen.save(tmp_path)
    assert load_result(tmp_path).highest_rate == 0.5


def test_steps_that_two_rollbacks_discarded_are_counted_once(result):
    assert result.discarded_steps == 64 - 20


def test_what_is_saved_is_loaded_again_to_the_last_digit(result, tmp_path):
    result.save(tmp_path / "new" / "folder")
    assert load_result(tmp_path / "new" / "folder") == result
    assert load_result(str(tmp_path / "new" / "folder" / "result.json")) == result


def test_the_file_is_strict_json(result, tmp_path):
    result.save(tmp_path)

    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    json.loads((tmp_path / "result.json").read_text("utf-8"), parse_constant=refuse)


def test_the_probes_are_a_table_and_a_csv_file(result, tmp_path):
    result.save(tmp_path)
    assert list(result.probes.columns) == [
        "peak",
        "start",
        "horizon",
        "rate",
        "score",
        "kept",
        "rule",
    ]
    assert list(result.probes.score) == [score.score for score in result.scores]
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "probes.csv"), result.probes)


def test_the_rate_of_a_probe_is_that_of_the_last_step_before_its_score(result):
    candidates = [
        Candidate(peak=0.5, schedule=schedules.warmup(10) | schedules.constant()),
        scaled(Candidate(peak=0.5, schedule=schedules.constant()), 20, 0.25, refines=False),
    ]
    rows = [(0, 5), (0, 40), (1, 20), (1, 21)]
    scores = tuple(ProbeScore(candidates[n], 0, horizon, 1.0, kept=True) for n, horizon in rows)
    # the warm-up's fifth step is at 5 / 10; the cut counts from step 20 on, the 21st
    expected = [0.25, 0.5, 0.5, 0.125]
    assert replace(result, scores=scores).probes.rate.tolist() == pytest.approx(expected, rel=1e-12)


def test_the_price_counts_the_search(result):
    assert result.price == 1.25


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it is no JSON (Expecting value, line 1)"),
        ("not json", "it is no JSON (Expecting value, line 1)"),
        ("{}", "it has no 'schedule'"),
        ('{"peak": 1}', "it has no 'schedule'"),
        ('{"scores": 3}', "it has no 'schedule'"),
        ('{"schedule": {"kind": "linear"}}', "it has no 'scores'"),  # as a study writes it
        ("[]", "its values are of other types"),
        ("null", "its values are of other types"),
        ("3", "its values are of other types"),
    ],
)
def test_a_file_that_is_no_result_is_refused_in_one_line(text, why, tmp_path):
    (tmp_path / "result.json").write_text(text)
    with pytest.raises(ConfigError) as refused:
        load_result(tmp_path)
    assert str(refused.value) == f"{tmp_path}/result.json is not a result of autolr: {why}"


def test_a_result_cut_off_by_a_full_disk_is_refused(result, tmp_path):
    result.save(tmp_path)
    whole = (tmp_path / "result.json").read_bytes()
    (tmp_path / "result.json").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ConfigError, match="is not a result of autolr"):
        load_result(tmp_path)


def test_a_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "result.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="is not a result of autolr"):
        load_result(tmp_path)


def test_a_missing_file_is_refused_in_one_line(tmp_path):
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(ConfigError, match=r"a folder with result\.json") as refused:
            load_result(path)
        assert "\n" not in str(refused.value)

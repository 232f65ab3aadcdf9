"""What a later run may take from a result."""

import json
import math
import re
from dataclasses import replace
from pathlib import Path

import pytest

from autolr.candidate import Candidate
from autolr.errors import ConfigError
from autolr.online import ProbeScore, RollbackRecord
from autolr.online.prior_peak import MovedPeak, PriorPeak
from autolr.online.records import CopyRecord
from autolr.result import Result
from autolr.result.prior import read_prior
from autolr.schedules import linear

SCORES = tuple(
    ProbeScore(Candidate("fixed", peak, linear()), 0, 9, 1.1 - peak, kept=peak > 0.05)
    for peak in (0.01, 0.1)
)
RESULT = Result(0.1, linear(), SCORES, 10, 100, 3, optimizer="SGD")


def test_a_result_and_the_folder_that_it_was_saved_to_are_one_prior(tmp_path: Path) -> None:
    RESULT.save(tmp_path)
    assert read_prior(RESULT) == PriorPeak(0.1, linear(), 100, "SGD")
    assert read_prior(str(tmp_path)) == read_prior(tmp_path) == read_prior(RESULT)
    assert read_prior(None) is None


def test_a_scheduler_of_the_modules_own_is_known() -> None:
    prior = read_prior(replace(RESULT, own_peak=0.3))
    assert prior is not None
    assert prior.scheduled


def test_what_was_moved_is_stored_with_the_result(tmp_path: Path) -> None:
    moved = replace(RESULT, prior=MovedPeak(0.05, 0.1, 25))
    assert Result.from_dict(moved.to_dict()) == moved


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        (replace(RESULT, peak=None, kept_peak=0.1), "its search found no peak"),
        (replace(RESULT, scores=()), "its search has compared no peaks"),
        (replace(RESULT, scores=SCORES[:1]), "its search has compared no peaks"),
        (
            replace(RESULT, scores=(SCORES[0], replace(SCORES[1], score=1.08))),
            "its search could not tell the peaks apart",
        ),
        (
            replace(RESULT, copies=(CopyRecord(7, "an error", ends_search=True),)),
            "its search ended at step 7, before it was over",
        ),
        (
            replace(RESULT, scores=(*SCORES, replace(SCORES[1], score=float("inf"), horizon=50))),
            "its run diverged",
        ),
        (
            replace(RESULT, rollbacks=(RollbackRecord(90, 5, 0.5, math.inf),)),
            "its run diverged, and lost 85 of its 100 steps",
        ),
    ],
)
def test_a_search_that_decided_nothing_or_a_run_that_was_lost_is_refused(
    result: Result, reason: str
) -> None:
    with pytest.raises(ConfigError, match=f"^prior: {reason}$"):
        read_prior(result)


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("peak", "0.1", "peak must be a number above 0, got '0.1'"),
        ("peak", -1.0, "peak must be a number above 0, got -1.0"),
        ("peak", math.nan, "peak must be a number above 0, got nan"),
        ("total_steps", "x", "total_steps must be a whole number of at least 0, got 'x'"),
        ("schedule", "cosin", "unknown schedule 'cosin'; did you mean 'cosine'?"),
    ],
)
def test_a_file_that_was_damaged_names_what_is_wrong(
    key: str, value: object, reason: str, tmp_path: Path
) -> None:
    values = RESULT.to_dict() | {key: value}
    (tmp_path / "result.json").write_text(json.dumps(values), "utf-8")
    said = rf"^prior: .*result\.json is not a result of autolr: {re.escape(reason)}"
    with pytest.raises(ConfigError, match=said) as caught:
        read_prior(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_run_that_was_rolled_back_as_it_overfitted_has_a_peak() -> None:
    back = replace(RESULT, rollbacks=(RollbackRecord(90, 5, 0.5, 2.0),))
    assert read_prior(back) == read_prior(RESULT)


def test_a_run_may_not_replace_its_own_prior(tmp_path: Path) -> None:
    folder = tmp_path / "found"
    RESULT.save(folder)
    message = "^save_to must be another folder than prior, which the run's own result would replace"
    for prior in (folder, str(folder), folder / "result.json"):
        with pytest.raises(ConfigError, match=message):
            read_prior(prior, str(tmp_path / "x" / ".." / "found"))
    assert read_prior(folder, tmp_path / "other") == read_prior(RESULT, folder)


def test_a_peak_of_another_rule_and_what_is_no_result_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^prior: its search chose momo, whose peak"):
        read_prior(replace(RESULT, rule="momo"))
    with pytest.raises(ConfigError, match=r"^prior must be a result, or the folder"):
        read_prior(0.1)
    with pytest.raises(ConfigError, match=r"^prior: path must be a folder with result\.json"):
        read_prior(tmp_path / "missing")

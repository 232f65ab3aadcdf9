"""What a result says of the copies of the run."""

import dataclasses

import pytest

from autolr import Result, schedules
from autolr.candidate import Candidate
from autolr.online.monitor import Monitor
from autolr.online.progress import Progress
from autolr.online.records import CopyRecord, ProbeScore
from autolr.online.settings import SearchSettings
from autolr.result.messages import copies_text, progress_lines
from autolr.result.page import result_page
from autolr.result.summary import size_text

UNFREEZING = CopyRecord(176, "2 more parameters are trained", renewed=True)
PRUNING = CopyRecord(190, "Linear.weight was replaced", ended=(0.01, 0.04), renewed=True)


@pytest.fixture
def result() -> Result:
    candidate = Candidate(peak=0.1, schedule=schedules.constant())
    scores = (ProbeScore(candidate, 0, 10, 2.0, kept=True),)
    return Result(0.1, candidate.schedule, scores, 40, 440, 3, copy_bytes=52_400, copies=(PRUNING,))


def searching() -> Progress:
    settings = SearchSettings()
    return settings.begin(settings.run_info(0.1, 440))


def lines(before: Progress, *records: CopyRecord) -> list[str]:
    after = before
    for record in records:
        after = after.noting(record)
    return list(progress_lines(before, after, 440, Monitor()))


def test_a_result_that_is_stored_keeps_them(result: Result) -> None:
    assert Result.from_dict(result.to_dict()) == result


def test_a_result_of_a_version_that_did_not_count_them_has_none(result: Result) -> None:
    stored = result.to_dict()
    del stored["copy_bytes"], stored["copies"]
    assert Result.from_dict(stored) == dataclasses.replace(result, copy_bytes=0, copies=())


def test_its_page_says_what_they_took_and_which_ended(result: Result) -> None:
    page = result_page(result)
    assert "52.4 KB" in page
    assert "Linear.weight was replaced" in page


def test_a_change_is_printed_with_the_rivals_that_it_ended() -> None:
    assert lines(searching(), PRUNING) == [
        "AutoLR: step 190: Linear.weight was replaced; no rivals at 0.01, 0.04; the run never "
        "returns to a state from before"
    ]


def test_that_there_is_no_way_back_is_printed_once() -> None:
    again = dataclasses.replace(UNFREEZING, step=200)
    (line,) = lines(searching(), UNFREEZING, again)
    assert line.startswith("AutoLR: step 176: 2 more parameters are trained; ")
    assert lines(searching().noting(UNFREEZING), again) == []


def test_records_of_a_search_under_way_come_back() -> None:
    search = searching().noting(PRUNING)
    assert Progress.from_dict(search.to_dict(), SearchSettings().searcher) == search


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 KB"), (950, "0.95 KB"), (36_060_000, "36.1 MB"), (2e10, "20 GB")]
)
def test_sizes_are_read_in_three_digits(count: int, text: str) -> None:
    assert size_text(count) == text


def test_rivals_that_did_not_begin_are_said_with_the_reason() -> None:
    record = CopyRecord(0, "max_copies=2", ended=(6.25e-05, 0.016))
    assert copies_text(record) == "max_copies=2; no rivals at 6.25e-05, 0.016"


def test_that_there_is_no_room_is_printed_once() -> None:
    first, later = (CopyRecord(step, "max_copies=1", (0.4,), unmade=True) for step in (0, 55))
    said = "AutoLR: step 0: max_copies=1; no rivals at 0.4"
    assert lines(searching(), first, later, PRUNING)[:-1] == [said]
    assert lines(searching().noting(first), later) == []

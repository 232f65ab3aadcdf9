"""A search as plain JSON values."""
# mypy: no-check-untyped-defs

import json
import math

import pytest

from autolr import schedules
from autolr.online import Annealed, Check, PeakRange, Thresholds
from autolr.online.evidence import Evidence
from autolr.online.search_serialization import search_from_dict, search_to_dict
from tests.online.runs import search_of

STRATEGY = Annealed(checks=(Check(0.1, 0.2, (0.5, 2.0), refines=True), Check(0.5, 0.5)))
SCORES = {
    "begun": [],
    "with an infinite score": [[1.0, 0.9, math.inf, 0.95, math.nan]],
    "with rivals": [[1.0, 0.9, 0.6, 0.8, 0.9]],
    "refined": [[1.0, 0.9, 0.6, 0.8, 0.9], [0.5, 0.1, 0.6]],
    "put back": [[1.0, 0.9, 0.6, 0.8, 0.9], [math.nan, math.nan, math.inf]],
}
KNOWN = {"initial": 2.0, "initial_batches": (1.0, 2.0, 3.0, 2.0)}


def searched(scores):
    search = search_of(STRATEGY, PeakRange.between(1e-4, 1e-1), None, 1000, 500)
    for scored in scores:
        search = search.observe(Evidence(tuple(scored[: len(search.alive)]), **KNOWN))
    return search


@pytest.mark.parametrize("scores", SCORES.values(), ids=SCORES)
def test_a_search_comes_back_equal_from_json(scores):
    search = searched(scores)
    text = json.dumps(search_to_dict(search), allow_nan=False)
    assert search_from_dict(json.loads(text)) == search


def test_what_comes_back_continues_alike():
    search = searched(SCORES["with rivals"])
    back = search_from_dict(search_to_dict(search))
    assert back.action == search.action
    assert back.observe(Evidence((0.5, 0.4, 0.6))) == search.observe(Evidence((0.5, 0.4, 0.6)))


def test_the_cases_are_what_their_names_say():
    assert [len(searched(scores).rollbacks) for scores in SCORES.values()] == [0, 0, 0, 0, 1]
    assert len(searched(SCORES["with rivals"]).alive) > 1
    refined = searched(SCORES["refined"])
    assert refined.scores[-2].kept
    assert refined.alive[0].schedule != schedules.constant()
    assert math.isinf(searched(SCORES["with an infinite score"]).scores[2].score)
    assert searched(SCORES["begun"]).thresholds == Thresholds(
        brief=0, hint=0
    )  # no peak is the user's

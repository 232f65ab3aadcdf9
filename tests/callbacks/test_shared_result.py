"""Libraries that train a copy of a callback leave the result with the original."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import copy

import pytest

from autolr import AutoLR
from tests.callbacks.runs import LR, RACE, fit


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_original_has_the_result_of_the_copy_that_was_trained(tmp_path):
    original = AutoLR(strategy=RACE, rates=(LR / 4, LR * 4))
    trained = copy.deepcopy({"callbacks": [original]})["callbacks"][0]
    with pytest.raises(AttributeError, match="no result before"):
        _ = original.result
    fit(tmp_path, callbacks=[trained])
    assert original.result is trained.result
    assert len(original.result.scores) > 1


@pytest.mark.filterwarnings("ignore")
def test_a_copy_of_a_trained_callback_searches_anew(tmp_path):
    first = AutoLR(strategy=RACE, rates=(LR / 4, LR * 4))
    fit(tmp_path / "first", callbacks=[first])
    before = first.result
    second = copy.deepcopy(first)
    fit(tmp_path / "second", callbacks=[second])
    assert second.result == before
    assert second.result is not before
    assert first.result is before

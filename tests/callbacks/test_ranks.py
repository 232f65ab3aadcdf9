"""Who trains the rivals, where one process trains the run; see tests/distributed for several."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import pytest

from autolr.callbacks import AutoLR
from autolr.errors import ConfigError
from tests.callbacks.runs import RACE, differences, fit


@pytest.mark.filterwarnings("ignore")
def test_one_process_alone_trains_as_if_together(tmp_path):
    def search(ranks):
        callback = AutoLR(RACE, rates=(2.0**-16, 2.0**-6), ranks=ranks)
        left = fit(tmp_path / ranks, callbacks=[callback]).left
        return {"left": left, "result": callback.result.to_dict()}

    together, apart = search("together"), search("apart")
    assert together["result"]["probe_steps"] > 0
    assert differences(together, apart) == []


def test_ranks_that_do_something_else_are_refused():
    message = "^ranks must be 'together' or 'apart', got 'alone'$"
    with pytest.raises(ConfigError, match=message):
        AutoLR(ranks="alone")

"""What is said before a study of settings that do nothing together."""

from typing import Any

import pytest

from autolr.config import read_config
from autolr.driver.checking import suited
from autolr.driver.messages import Checked

LR = {"low": 1e-4, "high": 1e-1, "log": True}


@pytest.mark.parametrize(
    ("tune", "warned"),
    [
        ({"sampler": "random"}, True),
        ({"sampler": "QMCSampler"}, True),
        ({"sampler": "random", "space": {"lr": "online"}}, False),
        ({"sampler": "gp"}, False),
        ({"sampler": "random", "prior": None}, False),
    ],
)
def test_a_prior_that_nothing_begins_around_is_warned_of(tune: Any, warned: bool) -> None:
    config = read_config({"tune": {"space": {"lr": LR}, "prior": "earlier", **tune}})
    known = suited(config, Checked(90, ("first",)))
    assert known.warnings[0] == "first"
    assert [line.startswith("tune.prior is not used") for line in known.warnings[1:]] == (
        [True] * warned
    )

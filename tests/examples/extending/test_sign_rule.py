"""A rule from outside the package works wherever ours do."""

import pytest
import torch

from autolr import rules
from autolr.candidate import Candidate, candidate_of
from autolr.errors import ConfigError
from autolr.search_spaces import load_space
from autolr.testing import RuleCase, RuleContract

pytestmark = pytest.mark.usefixtures("example")


@pytest.fixture(scope="module")
def example():
    from examples.extending import sign_rule  # here: to import it registers the rule

    return sign_rule


class TestSign(RuleContract):
    @pytest.fixture
    def case(self) -> RuleCase:
        return RuleCase("sign", peak=0.3)


def test_each_tensor_has_a_factor_of_its_own(example):
    steady, turning = (torch.nn.Parameter(torch.zeros(1)) for _ in range(2))
    optimizer = rules.build("sign", [steady, turning], peak=1.0, up=2.0, down=0.5)
    for sign in (1, -1, 1):
        steady.grad, turning.grad = torch.ones(1), torch.full((1,), float(sign))
        optimizer.step()
    assert steady.item() == -(1 + 2 + 4)
    assert turning.item() == -(1 - 1 / 2 + 1 / 4)


def test_it_trains_the_digits(example):
    assert example.main(epochs=2) > 0.8


def test_a_space_names_it_and_its_settings():
    up = {"low": 1, "high": 2, "when": {"rule": "sign"}}
    space = load_space({"rule": ["fixed", "sign"], "rule.up": up})
    candidate = candidate_of({"lr": 0.1, "rule": "sign", "rule.up": 1.5})
    assert space.names == ("rule", "rule.up")
    assert Candidate.from_dict(candidate.to_dict()) == candidate


def test_a_setting_that_cannot_work_is_refused_in_one_line():
    with pytest.raises(ConfigError, match="sign has no setting 'left'; it takes: up, down, most"):
        rules.check_settings("sign", {"left": 1})

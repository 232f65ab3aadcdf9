"""Two processes train one loop of one's own, and decide alike."""
# mypy: allow-untyped-calls, allow-untyped-defs

import pytest
import torch

from tests.distributed.processes import outcomes_of
from tests.runtime.loops import OWN, same

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """Return a function from the name of a case to what its ranks returned."""
    return outcomes_of("tests.distributed.loops", tmp_path_factory.mktemp("ranks"))


@pytest.mark.parametrize("case", ["step", "repeat", "training loss", "fabric"])
def test_both_ranks_train_as_one_with_the_rates_that_they_chose_together(both, case):
    first, second = both(case)
    assert first.result == second.result
    assert first.result["peak"] != OWN
    assert len(first.result["scores"]) == 5
    count = len(list(first.left))
    weights = [number for number in range(count) if first.left[number].is_floating_point()]
    assert all(torch.equal(first.left[n], first.replayed[n]) for n in weights)
    assert same(second.left, second.replayed)


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("one fails", "UserCodeError: ValueError: no data on this rank (on rank 1 of 2)"),
        ("one is a dict", "ConfigError: validate must return a number, or the numbers of the"),
    ],
)
def test_an_error_on_one_rank_ends_both_with_the_same_line(both, case, words):
    first, second = both(case)
    assert first.error == second.error
    assert first.error.startswith(words)
    assert "\n" not in first.error


def test_a_rival_that_fails_on_one_rank_ends_on_both(both):
    first, second = both("one rival fails")
    assert first.result == second.result
    assert "the loss explodes" in str(first.result["copies"])

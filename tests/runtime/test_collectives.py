"""Ranks that agree through a store, each in a thread of its own."""
# mypy: allow-untyped-calls, allow-untyped-defs

import math
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event
from time import monotonic

import pytest
import torch
from torch.distributed import HashStore  # type: ignore[attr-defined]

from autolr.errors import AgreedError, ConfigError, DivergedError, PartedError, UserCodeError
from autolr.runtime.collectives import Alone
from autolr.runtime.failures import agreed
from autolr.runtime.process_group import Together


def on_ranks(action, size=3, **settings):
    """Return what ``action(ranks, rank)`` returned or raised on each rank."""
    store = HashStore()
    store.set_timeout(timedelta(seconds=5))

    def run(rank):
        try:
            return action(Together(store, rank, size, **settings), rank)
        except Exception as error:
            return error

    with ThreadPoolExecutor(size) as threads:
        return [*threads.map(run, range(size))]


def fail(error):
    raise error


def lines(errors):
    return {(type(error), str(error)) for error in errors}


def test_every_rank_receives_what_all_have_sent_to_the_last_bit():
    def tell(ranks, rank):
        return ranks.gather(lambda: [rank, 0.1 + rank, math.inf, {"a": None}])

    expected = [[rank, 0.1 + rank, math.inf, {"a": None}] for rank in range(3)]
    assert on_ranks(tell) == [expected] * 3


def test_an_error_of_ours_on_one_rank_is_raised_on_all():
    def tell(ranks, rank):
        ranks.gather(lambda: fail(DivergedError("too high")) if rank == 1 else 0)

    assert lines(on_ranks(tell)) == {(DivergedError, "too high (on rank 1 of 3)")}


def test_an_error_of_the_users_code_is_raised_on_all_as_one_line_and_keeps_its_cause():
    def tell(ranks, rank):
        ranks.gather(lambda: fail(KeyError("a\nb")) if rank > 0 else 0)

    outcomes = on_ranks(tell)
    assert lines(outcomes) == {(UserCodeError, "KeyError: 'a\\nb' (on rank 1 of 3)")}
    assert [type(error.__cause__) for error in outcomes] == [type(None), KeyError, KeyError]


def test_an_error_on_all_ranks_passes_through_as_without_others():
    def tell(ranks, rank):
        ranks.gather(lambda: fail(ConfigError("rates must rise")))

    assert lines(on_ranks(tell)) == {(ConfigError, "rates must rise")}


@pytest.mark.parametrize("before", [0, 1])
def test_a_rank_that_fails_between_calls_within_a_call_ends_all(before):
    def tell(ranks, rank):
        def several():
            for call in range(3):
                if rank == 2 and call == before:
                    raise ValueError("late")
                ranks.gather(lambda: 0)

        ranks.gather(several)

    begun = monotonic()
    assert lines(on_ranks(tell)) == {(UserCodeError, "ValueError: late (on rank 2 of 3)")}
    assert monotonic() - begun < 30, "some rank has waited for nothing"


def test_ranks_still_agree_after_an_error_that_was_caught():
    def tell(ranks, rank):
        with pytest.raises(UserCodeError):
            ranks.gather(lambda: ranks.gather(lambda: fail(OSError()) if rank else 0))
        return ranks.gather(lambda: rank)

    assert on_ranks(tell) == [[0, 1, 2]] * 3


def test_a_rank_whose_others_never_come_raises_its_own_error_after_a_while():
    def tell(ranks, rank):
        if rank == 0:
            return "elsewhere"
        return ranks.gather(lambda: ranks.gather(lambda: fail(ValueError("alone"))))

    outcomes = on_ranks(tell, size=2, grace=timedelta(seconds=0.3))
    assert outcomes[0] == "elsewhere"
    assert lines(outcomes[1:]) == {(ValueError, "alone")}


def test_a_rank_that_waits_for_one_that_has_failed_ends_with_the_line_of_that_one():
    gone = Event()

    def tell(ranks, rank):
        def action():
            if rank == 0:
                raise ValueError("a broken\nimage")
            gone.wait(20)
            raise RuntimeError("connection closed")

        try:
            ranks.gather(lambda: ranks.gather(action))
        finally:
            gone.set()

    begun = monotonic()
    outcomes = on_ranks(tell, size=2, grace=timedelta(seconds=0.3), waits=True)
    assert lines(outcomes) == {(PartedError, "ValueError: a broken image (on rank 0 of 2)")}
    assert monotonic() - begun < 15


def test_ranks_that_come_in_time_go_on_after_a_pass_that_has_failed_on_one():
    def tell(ranks, rank):
        with pytest.raises(AgreedError, match=r"^KeyError: 'a' \(on rank 1 of 3\)$"):
            agreed(ranks, lambda: fail(KeyError("a")) if rank == 1 else 0)
        return agreed(ranks, lambda: torch.tensor(rank))

    assert on_ranks(tell, waits=True) == [torch.tensor(rank) for rank in range(3)]


def test_one_process_agrees_with_itself():
    assert Alone().gather(lambda: math.nan) == [pytest.approx(math.nan, nan_ok=True)]
    assert Alone().any([True, False]) == [True, False]
    with pytest.raises(KeyError):
        Alone().gather(lambda: fail(KeyError("as it is")))

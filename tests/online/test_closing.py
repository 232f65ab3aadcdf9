"""The end of a run: its last weights, or an average of them."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import json
import math
from dataclasses import replace
from functools import cache

import pytest

from autolr.errors import ConfigError
from autolr.online import Annealed, Close, Commit, Observation, Thresholds
from autolr.online.closing import averaged_end, windows_of
from autolr.online.records import AveragedEnd
from autolr.testing.played import Played
from autolr.testing.runs import run_of

STEPS = 1000


def play(deadline=STEPS, **settings):
    strategy = Annealed(**settings)
    return Played(strategy, replace(run_of(strategy, STEPS), deadline=deadline))


def ended(last, *scores, noise=0.0, batches=4):
    """Return how a run ends; the difference of each average has a standard error of ``noise``."""
    spread = [noise * math.sqrt(3) * sign for sign in (1, -1, 1, -1)][:batches]
    by_batch = ((last,) * batches, *(tuple(score + s for s in spread) for score in scores))
    observed = (STEPS, (last, *scores), by_batch if batches else None)
    return averaged_end(over(), Observation(*observed, windows=(200, 400)))


@cache
def over():
    return play().states[-1].search


def test_the_best_average_takes_the_place_of_the_last_weights():
    assert ended(1.0, 0.9, 0.95) == AveragedEnd(200, 0.9, 1.0)
    assert ended(1.0, 0.95, 0.9) == AveragedEnd(400, 0.9, 1.0)


def test_an_average_that_is_no_better_does_not():
    assert ended(1.0, 1.0, 1.2) is None
    assert ended(1.0, 0.999, 1.0) is None  # 0.1 %


def test_no_standard_error_is_asked_for():
    assert ended(1.0, 0.98, 1.0, noise=0.03) == AveragedEnd(200, 0.98, 1.0)


@pytest.mark.parametrize("batches", [0, 1])
def test_where_the_noise_is_not_known_one_per_cent_is_asked_for(batches):
    assert ended(1.0, 0.993, 1.0, batches=batches) is None
    assert ended(1.0, 0.98, 1.0, batches=batches) == AveragedEnd(200, 0.98, 1.0)


def test_last_weights_that_are_lost_are_replaced_by_what_is_not():
    assert ended(math.nan, 0.9, math.inf) == AveragedEnd(200, 0.9, math.inf)
    assert ended(math.nan, math.inf, math.inf) is None


def test_the_comparison_is_the_last_action_before_the_commit():
    played = play()
    *_, before, last, over = (state.action for state in played.states)
    assert isinstance(last, Close)
    assert isinstance(over, Commit)
    assert last.windows == (200, 400, 600) == before.closing
    assert (over.run, over.averaged) == (last.run, None)  # all four score the same on paper


def test_the_commit_has_the_average_that_was_better():
    state = play().states[-2]
    over = state.observe(Observation(STEPS, (1.0, 0.9, 0.8, 0.85), windows=(200, 400, 600)))
    assert over.action.averaged == AveragedEnd(400, 0.8, 1.0)
    for one in (state, over):
        stored = json.loads(json.dumps(one.to_dict(), allow_nan=False))
        assert Annealed().state_from_dict(stored) == one


def test_an_average_that_began_late_is_of_so_many_steps_as_it_has():
    state = play().states[-2]
    over = state.observe(Observation(STEPS, (1.0, 0.9, 0.8, 0.8), windows=(200, 310, 310)))
    assert over.action.averaged == AveragedEnd(310, 0.8, 1.0)


@pytest.mark.parametrize(
    "setting",
    [
        {"ends": ()},
        {"checks": ()},
        {"rollback": "never"},
        {"rollback": "not-finite"},
        {"thresholds": Thresholds(rollbacks=0)},
    ],
)
def test_who_wants_no_other_weights_keeps_the_last_ones(setting):
    played = play(**setting)
    assert not any(isinstance(state.action, Close) for state in played.states)


def test_where_another_callback_has_the_last_steps_nothing_is_compared():
    played = play(deadline=700)
    assert not any(isinstance(state.action, Close) for state in played.states)


def test_windows_are_of_two_steps_at_least():
    assert windows_of((0.2, 0.4), 1000) == (200, 400)
    assert windows_of((0.2, 0.4), 5) == (2,)


@pytest.mark.parametrize("ends", [(0.0,), (1.0,), (0.2, "0.4"), (math.nan,)])
def test_shares_outside_of_the_run_are_refused(ends):
    with pytest.raises(ConfigError, match="ends must be shares of the run"):
        Annealed(ends=ends)

"""New trials get points that no trial had, whenever the study is interrupted."""

from collections.abc import Callable
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from typing import Any

import optuna
import pytest

from autolr.space import Space, parse_space
from autolr.study import CANDIDATE, Proposer, Study, open_study
from autolr.study.proposal import key_of
from tests.cases import with_slow

SIX = parse_space({"lr": [0.001, 0.01, 0.1], "schedule": ["linear", "cosine"]})
BRANCHES = parse_space(
    {"rule": ["a", "b"], "momentum": {"low": 0.0, "high": 1.0, "when": {"rule": "a"}}}
)
CMAES = pytest.param(
    "cmaes",
    marks=[pytest.mark.slow, pytest.mark.skipif(find_spec("cmaes") is None, reason="needs cmaes")],
)
GP = pytest.param("gp", marks=pytest.mark.slow)  # imports torch


def opened(url: str, sampler: str = "tpe", name: str = "digits") -> Study:
    return open_study(url, name, sampler=sampler, seed=1)


def train(handle: Study, space: Space, start: Any = ()) -> dict[str, Any]:
    """Give a new trial its point and complete it; return the point."""
    return finish(handle, handle.ask(), space, start)


def finish(handle: Study, trial: optuna.Trial, space: Space, start: Any = ()) -> dict[str, Any]:
    point = Proposer(space, start).propose(handle, trial)
    handle.note(trial, {CANDIDATE: "c"})
    handle.complete(trial, float(len(key_of(point))))
    return point


@pytest.mark.parametrize("sampler", ["tpe", "random", CMAES, GP])
def test_as_many_trials_as_points_have_all_points(url: str, sampler: str) -> None:
    space = parse_space({"lr": [0.001, 0.01, 0.1], "layers": {"low": 1, "high": 5, "type": "int"}})
    handle = opened(url, sampler)
    points = [train(handle, space) for _ in range(15)]
    assert sorted(map(key_of, points)) == sorted(map(key_of, space.points()))
    assert [trial.params for trial in handle.trials] == points


def test_a_space_that_is_infinite_in_a_branch_has_that_one_when_the_other_is_spent(
    url: str,
) -> None:
    handle = opened(url)
    points = [train(handle, BRANCHES) for _ in range(12)]
    assert [point["rule"] for point in points].count("b") == 1
    assert len(set(map(key_of, points))) == 12


def test_a_point_whose_trial_failed_comes_last_and_is_not_lost(url: str) -> None:
    handle = opened(url)
    trial = handle.ask()
    failed = Proposer(SIX).propose(handle, trial)
    handle.note(trial, {CANDIDATE: "c"})
    handle.fail(trial, "out of memory")
    points = [train(handle, SIX) for _ in range(6)]
    assert points[-1] == failed
    assert len(set(map(key_of, points))) == 6


def test_a_point_that_runs_or_waits_is_not_begun_again(url: str) -> None:
    handle = opened(url)
    open_ones = []
    for number in range(6):
        trial = handle.ask()
        open_ones.append(Proposer(SIX).propose(handle, trial))
        handle.note(trial, {CANDIDATE: "c"})
        if number % 2:
            handle.pause(trial)
    assert len(set(map(key_of, open_ones))) == 6


@pytest.fixture(scope="module")
def uncut(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], list[dict[str, Any]]]:
    """Return a function from a sampler to what a study proposes that is not interrupted."""
    url = f"sqlite:///{tmp_path_factory.mktemp('whole')}/runs.db"

    @cache
    def points(sampler: str) -> list[dict[str, Any]]:
        handle = opened(url, sampler, sampler)
        return [train(handle, WIDE, START) for _ in range(TRIALS)]

    return points


WIDE = parse_space({"lr": [0.001, 0.01, 0.1, 1.0], "layers": {"low": 1, "high": 4, "type": "int"}})
TRIALS = 15  # of 16 points
CUT = (0, 1, 2, 5, 7, 12)  # three that start with a point, and some that are drawn anew
START: Any = ({"layers": 2}, {"lr": 0.01, "layers": 2}, {"layers": 2})


@pytest.mark.parametrize("sampler", ["tpe", CMAES, GP])
@pytest.mark.parametrize(
    "after", with_slow(["ask", "start", "draw", "store", "params"], "ask", "store")
)
def test_a_study_cut_in_the_midst_of_each_proposal_proposes_the_same(
    url: str, sampler: str, after: str, uncut: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = []
    handle = opened(url, sampler)
    for number in range(TRIALS):
        trial = handle.ask()
        if number not in CUT:
            points.append(finish(handle, trial, WIDE, START))
            continue
        if after != "ask":
            with monkeypatch.context() as patch, suppress(KeyboardInterrupt):
                _cut(patch, handle, after)
                Proposer(WIDE, START).propose(handle, trial)
        handle = opened(url, sampler)
        handle.recover()
        trial = handle.resume(number)
        points.append(finish(handle, trial, WIDE, START))
    assert points == uncut(sampler)


def _cut(patch: pytest.MonkeyPatch, handle: Study, after: str) -> None:
    """Have the process end at a write to the storage, before or behind it."""
    storage: Any = handle._study._storage
    name, behind = {
        "start": ("set_trial_user_attr", True),
        "draw": ("set_trial_system_attr", False),
        "store": ("set_trial_system_attr", True),
        "params": ("set_trial_param", True),
    }[after]
    write = getattr(storage, name)

    def cut(*args: Any) -> None:
        if behind:
            write(*args)
        raise KeyboardInterrupt

    patch.setattr(storage, name, cut)


def test_points_to_start_with_come_first_each_once_and_the_rest_of_them_is_drawn(
    url: str,
) -> None:
    handle = opened(url)
    points = [train(handle, WIDE, START) for _ in range(5)]
    assert points[1] == {"lr": 0.01, "layers": 2}
    assert [point["layers"] for point in points[:3]] == [2] * 3
    assert len(set(map(key_of, points))) == 5
    assert train(handle, WIDE, (*START, {"lr": 1.0}))["lr"] == 1.0
    assert sum("start" in trial.attrs for trial in handle.trials) == 4


def test_a_whole_point_to_start_with_that_was_trained_is_left_out(url: str) -> None:
    handle = opened(url)
    first = train(handle, SIX)
    second = train(handle, SIX, (first,))
    assert second != first
    assert "start" not in handle.trial(1).attrs

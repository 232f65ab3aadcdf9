import json
import math
import subprocess
import sys
import warnings
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from typing import Any

import optuna
import pytest

from autolr.errors import ConfigError
from autolr.study import open_study, sampler
from tests.cases import only_with_slow

Start = Callable[..., subprocess.Popen[str]]

TRIALS = 14  # the first 10 are random, the others the sampler's
LONGER = {"cmaes": 20}  # two generations of its own

CMAES = pytest.param(
    "cmaes",
    marks=[pytest.mark.slow, pytest.mark.skipif(find_spec("cmaes") is None, reason="needs cmaes")],
)
GP = pytest.param("gp", marks=pytest.mark.slow)  # imports torch, and takes seconds to fit


def suggest(trial: optuna.Trial, only: int = 99) -> dict[str, Any]:
    """Draw a conditional space, or its first ``only`` parameters."""
    draws: list[Callable[[], object]] = [
        lambda: trial.suggest_float("lr", 1e-5, 1.0, log=True),
        lambda: trial.suggest_categorical("rule", ["sgd", "adam"]),
        lambda: (
            trial.suggest_float("beta", 0.8, 0.99)
            if trial.params["rule"] == "adam"
            else trial.suggest_int("momentum", 0, 9)
        ),
    ]
    for draw in draws[:only]:
        draw()
    return trial.params


def score(params: dict[str, Any]) -> float:
    return float(abs(params["lr"] - 0.01) + params.get("beta", 1) + params.get("momentum", 0) / 10)


Uninterrupted = Callable[[str], list[dict[str, Any]]]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Uninterrupted:
    """Return a function from a sampler to what it proposes in a study that is not cut."""
    url = f"sqlite:///{tmp_path_factory.mktemp('whole')}/runs.db"

    @cache
    def proposed_by(name: str) -> list[dict[str, Any]]:
        handle = open_study(url, name, sampler=name, seed=7)
        proposed = []
        for _ in range(LONGER.get(name, TRIALS)):
            trial = handle.ask()
            proposed.append(suggest(trial))
            handle.complete(trial, score(proposed[-1]))
        return proposed

    return proposed_by


@pytest.mark.parametrize("name", ["tpe", *only_with_slow("random"), CMAES, GP])
def test_a_study_cut_after_each_trial_proposes_what_an_uninterrupted_one_does(
    url: str, name: str, uninterrupted: Uninterrupted
) -> None:
    proposed = []
    for _ in range(LONGER.get(name, TRIALS)):
        handle = open_study(url, "cut", sampler=name, seed=7)
        trial = handle.ask()
        proposed.append(suggest(trial))
        handle.complete(trial, score(proposed[-1]))
        handle.close()
    assert proposed == uninterrupted(name)


@pytest.mark.parametrize("name", ["tpe", CMAES, GP])
@pytest.mark.parametrize("drawn", [1, *only_with_slow(2)])
def test_a_study_cut_within_each_trial_proposes_what_an_uninterrupted_one_does(
    url: str, drawn: int, name: str, uninterrupted: Uninterrupted
) -> None:
    proposed = []
    handle = open_study(url, "cut", sampler=name, seed=7)
    for number in range(LONGER.get(name, TRIALS)):
        trial = handle.ask()
        if number in (0, 9, 10, 13, 14, 18):
            suggest(trial, only=drawn)
            handle = open_study(url, "cut", sampler=name, seed=7)
            handle.recover()
            trial = handle.resume(number)
        proposed.append(suggest(trial))
        handle.complete(trial, score(proposed[-1]))
    assert proposed == uninterrupted(name)


def mean_distance(url: str, name: str, trials: int) -> float:
    """Return how far from the minimum of a quadratic the last 8 trials are, on average."""
    handle = open_study(url, name, sampler=name, seed=3)
    distances = []
    for _ in range(trials):
        trial = handle.ask()
        x, y = (trial.suggest_float(axis, -1.0, 1.0) for axis in "xy")
        distances.append(math.hypot(x - 0.3, y + 0.2))
        handle.complete(trial, distances[-1] ** 2)
    return sum(distances[-8:]) / 8


@pytest.mark.parametrize(
    ("name", "trials"),
    [
        pytest.param("cmaes", 60, marks=CMAES.marks),
        pytest.param("gp", 18, marks=GP.marks),
    ],
)
def test_the_last_trials_are_nearer_to_the_minimum_of_a_quadratic_than_random_ones(
    url: str, name: str, trials: int
) -> None:
    assert mean_distance(url, name, trials) < mean_distance(url, "random", trials) / 2


@pytest.mark.parametrize("name", [CMAES, GP])
def test_pruned_and_waiting_trials_are_learnt_from_as_complete_ones_are(
    url: str, name: str
) -> None:
    proposed = []
    for end in ("complete", "prune", "wait"):
        handle = open_study(url, end, sampler=name, seed=7)
        for _ in range(LONGER.get(name, TRIALS)):
            trial = handle.ask()
            value = score(suggest(trial))
            if end == "complete":
                handle.complete(trial, value)
            else:
                handle.report(trial, 5, value)
                handle.prune(trial, "not among the best") if end == "prune" else handle.pause(trial)
        proposed.append([trial.params for trial in handle.trials])
    assert proposed[0] == proposed[1] == proposed[2]


@pytest.mark.parametrize("name", [CMAES, GP])
def test_trials_that_diverged_are_learnt_from_and_break_nothing(url: str, name: str) -> None:
    handle = open_study(url, "digits", sampler=name, seed=7)
    rates = []
    for _ in range(40 if name == "cmaes" else 16):
        trial = handle.ask()
        rate = trial.suggest_float("lr", 1e-5, 1.0, log=True)
        trial.suggest_float("beta", 0.8, 0.99)
        handle.complete(trial, math.nan if rate > 1e-3 else -math.log(rate + 1e-4))
        rates.append(rate)
    assert sum(rate > 1e-3 for rate in rates[:10]) > 1
    assert sum(rate > 1e-3 for rate in rates[-5:]) <= 1


def test_trials_that_are_open_together_do_not_share_a_generator(url: str) -> None:
    one, other = (open_study(url, name, sampler="tpe", seed=7) for name in ("one", "other"))
    first, second = one.ask(), one.ask()
    in_order = [suggest(first), suggest(second)]
    first, second = other.ask(), other.ask()
    backwards = [suggest(second), suggest(first)]
    assert in_order == backwards[::-1]
    assert in_order[0] != in_order[1]


def test_the_parameters_of_a_trial_are_drawn_apart(url: str) -> None:
    trial = open_study(url, "digits").ask()
    assert len({trial.suggest_float(name, 0.0, 1.0) for name in "abc"}) == 3


def test_another_seed_proposes_something_else(url: str) -> None:
    params = [suggest(open_study(url, f"s{seed}", seed=seed).ask()) for seed in (1, 2)]
    assert params[0] != params[1]


PROPOSE = """
import json, sys
from autolr.study import open_study
handle = open_study(sys.argv[1], "hash" + sys.argv[2], sampler="tpe", seed=7)
for _ in range(14):
    trial = handle.ask()
    values = [trial.suggest_float(name, 0, 1) for name in "abcd"]
    handle.complete(trial, sum(values))
print(json.dumps([trial.params for trial in handle.trials]))
"""


@pytest.mark.slow
def test_proposals_do_not_depend_on_pythons_string_hashes(url: str, start: Start) -> None:
    open_study(url, "first")  # so that neither creates the file
    processes = [start(PROPOSE, url, i, PYTHONHASHSEED=str(i)) for i in (1, 2)]
    one, two = (process.communicate()[0] for process in processes)
    assert len(json.loads(one)) == 14
    assert json.loads(one) == json.loads(two)


def test_the_error_of_an_unknown_sampler_lists_the_samplers() -> None:
    with pytest.raises(ConfigError, match="sampler must be one of cmaes, gp, random, tpe, got"):
        sampler("grid", 0)


def test_a_sampler_whose_package_is_missing_tells_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "cmaes", None)  # as if it could not be found
    line = r"^sampler cmaes needs cmaes: pip install 'cmaes>=0\.10'$"
    with pytest.raises(ConfigError, match=line):
        sampler("cmaes", 0)


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(ConfigError, match="seed must be at least 0, got -1"):
        sampler("tpe", -1)


@pytest.mark.parametrize("name", ["tpe", CMAES, GP])
def test_nothing_warns_of_experiments(url: str, name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        handle = open_study(url, "calm", sampler=name)
        for _ in range(12):
            trial = handle.ask()
            handle.complete(trial, suggest(trial)["lr"])

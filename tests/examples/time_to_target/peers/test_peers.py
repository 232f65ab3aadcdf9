"""Each package begins with the user's setting, keeps to its budget and finds a known optimum."""

import importlib
from contextlib import suppress
from typing import Any

import pytest

from examples.time_to_target.peers.budget import Budget, Spent, best
from examples.time_to_target.peers.methods import METHODS, method

PACKAGES = {"syne_tune": "syne_tune", "neps": "neps", "ray": "pydantic"}
QUICK = ["optuna_tpe_hyperband", "optuna_tpe", "syne_tune_asha"]
LONG = [name for name in METHODS if name not in (*QUICK, "autolr_tune")]


def studied(name: str, problem: Any, runs: float) -> Budget:
    """Return the budget of a study after its end; skip where its package is missing."""
    for prefix, package in PACKAGES.items():
        if name.startswith(prefix):
            pytest.importorskip(package, reason="the package is not installed")
    budget = Budget(problem, runs)
    with suppress(Spent):
        method(name)(budget, 1)
    return budget


def check(budget: Budget, largest: float) -> None:
    assert budget.runs <= budget.spent < budget.runs + largest
    assert best(budget.ended, budget.runs) < 0.02  # 0.36 * 3 at the user's setting


@pytest.mark.parametrize("name", QUICK)
def test_a_study_finds_the_optimum_within_its_budget(name: str, parabolas: Any) -> None:
    budget = studied(name, parabolas, 12)
    check(budget, 1)
    assert dict(budget.ended[0].point) == parabolas.default  # nothing precedes it


@pytest.mark.slow
@pytest.mark.parametrize("name", LONG)
def test_a_slower_package_does_so_too(name: str, parabolas: Any) -> None:
    check(studied(name, parabolas, 12), 1)


def test_studies_repeat_themselves(parabolas: Any) -> None:
    once, again = (studied("optuna_tpe_hyperband", parabolas, 5).ended for _ in range(2))
    assert once == again


def test_every_method_that_needs_no_package_of_its_own_can_be_found() -> None:
    ours = [path for name, path in METHODS.items() if name.startswith(("optuna", "autolr"))]
    for path in ours:
        module, _, function = path.partition(":")
        assert callable(getattr(importlib.import_module(module), function))

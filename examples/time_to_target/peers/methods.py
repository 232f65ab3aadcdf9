"""The methods by name. A package is imported when its method runs: each may have its own venv."""

import importlib
from collections.abc import Callable

from examples.time_to_target.peers.budget import Budget

Method = Callable[[Budget, int], None]
"""Runs a study with a seed until `Spent`."""

_HERE = "examples.time_to_target"
METHODS = {
    "optuna_tpe_hyperband": f"{_HERE}.peers.optuna_peers:tpe_hyperband",
    "optuna_tpe": f"{_HERE}.peers.optuna_peers:tpe",
    "optuna_gp": f"{_HERE}.peers.optuna_peers:gaussian_process",
    "ray_asha": f"{_HERE}.peers.ray_peers:asha",
    "syne_tune_asha": f"{_HERE}.peers.syne_tune_peers:asha",
    "syne_tune_asha_cqr": f"{_HERE}.peers.syne_tune_peers:asha_cqr",
    "syne_tune_cqr": f"{_HERE}.peers.syne_tune_peers:cqr",
    "neps_priorband": f"{_HERE}.peers.neps_peers:priorband",
    "autolr_tune": f"{_HERE}.joint.study:autolr_tune",
}


def method(name: str) -> Method:
    """Return a method of `METHODS`.

    Raises:
        ImportError: If its package is not installed in this environment.
    """
    module, _, function = METHODS[name].partition(":")
    found: Method = getattr(importlib.import_module(module), function)
    return found

"""Every rule of the catalogue keeps the contract."""

from typing import Any

import pytest

from autolr import rules
from autolr.testing import RuleCase, RuleContract

# Peaks for the least-squares problem below, whose solution is 3 away from the start in each
# weight; rules that are not named here solve it as they come.
_PEAKS = {
    **dict.fromkeys(("adamw", "radam", "adafactor", "adabelief", "adabound", "amsbound"), 0.1),
    **dict.fromkeys(("adamod", "adamp", "diffgrad", "exadam", "yogi", "schedulefree_adamw"), 0.1),
    **dict.fromkeys(("schedulefree_radam", "muon", "lamb", "hypergradient_adam"), 0.1),
    "adago": 1.0,
    "lars": 10.0,
    "lion": 0.03,
}
# So that a hundred steps are enough, and the first one is more than rounding.
_SETTINGS: dict[str, dict[str, Any]] = {
    "adamod": {"betas": (0.9, 0.99, 0.99)},
    "dadapt_adagrad": {"d0": 1e-3},
    "dog": {"alpha": 1e-2},
    "ldog": {"alpha": 1e-2},
    "schedulefree_radam": {"silent_sgd_phase": False},
}
_SLOW = {"sania_adagrad": 0.7}  # share of the loss that is left; its steps fall as 1 / t
_CURVED = {"aegd"}  # whose step is no multiple of the rate, by its formula
_NO_ZERO = {"dadapt_sgd": "dadaptation 3.2 divides by the gradients of groups with a rate"}


class TestRules(RuleContract):
    @pytest.fixture(params=rules.names())
    def case(self, request: pytest.FixtureRequest) -> RuleCase:
        name: str = request.param
        return RuleCase(
            name,
            peak=_PEAKS.get(name),
            settings=_SETTINGS.get(name, {}),
            remaining=_SLOW.get(name, 1 / 3),
            is_linear=name not in _CURVED,
            no_zero_rate=_NO_ZERO.get(name, ""),
        )

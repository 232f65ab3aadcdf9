"""Contract tests to inherit for extensions of your own. They need pytest; only tests load them.

Experimental. In a test module of your own:

    class TestMine(StrategyContract):
        @pytest.fixture
        def strategy(self):
            return Mine()
"""

import pytest

_CONTRACTS = ("engine", "objective", "played", "profile", "rule", "strategy")

pytest.register_assert_rewrite(*(f"{__name__}.{name}" for name in _CONTRACTS))  # shows both sides

from autolr.testing.engine import EngineContract as EngineContract  # noqa: E402
from autolr.testing.objective import ObjectiveContract as ObjectiveContract  # noqa: E402
from autolr.testing.profile import ProfileContract as ProfileContract  # noqa: E402
from autolr.testing.rule import RuleCase as RuleCase  # noqa: E402
from autolr.testing.rule import RuleContract as RuleContract  # noqa: E402
from autolr.testing.strategy import StrategyContract as StrategyContract  # noqa: E402

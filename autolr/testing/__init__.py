"""Contract tests to inherit, for what others write: needs pytest, and is loaded by tests only.

Experimental. In a test module of your own:

    class TestMine(StrategyContract):
        @pytest.fixture
        def strategy(self):
            return Mine()
"""

import pytest

pytest.register_assert_rewrite("autolr.testing.strategy")  # a failure then shows both sides

from autolr.testing.strategy import StrategyContract as StrategyContract  # noqa: E402

"""Contract tests to inherit, for what others write: needs pytest, and is loaded by tests only.

Experimental. In a test module of your own:

    class TestMine(EngineContract):
        @pytest.fixture
        def engine(self):
            return Mine()
"""

import pytest

pytest.register_assert_rewrite(  # a failure then shows both sides
    "autolr.testing.engine", "autolr.testing.objective"
)

from autolr.testing.engine import EngineContract as EngineContract  # noqa: E402
from autolr.testing.objective import ObjectiveContract as ObjectiveContract  # noqa: E402

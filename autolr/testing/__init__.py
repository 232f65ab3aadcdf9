"""Contract tests: inherit one to check an extension of your own."""

from autolr.testing.engine import EngineContract as EngineContract
from autolr.testing.objective import ObjectiveContract as ObjectiveContract

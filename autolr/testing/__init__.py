"""Contract tests: inherit one to check an extension of your own."""

from autolr.testing.profile import ProfileContract as ProfileContract
from autolr.testing.rule import RuleCase as RuleCase
from autolr.testing.rule import RuleContract as RuleContract

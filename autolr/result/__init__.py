"""The result of a search: its value, page, charts and messages."""

from autolr.result.files import check_save_to as check_save_to
from autolr.result.files import load_result as load_result
from autolr.result.messages import closing as closing
from autolr.result.messages import excluded as excluded
from autolr.result.messages import opening as opening
from autolr.result.messages import progress_lines as progress_lines
from autolr.result.range_test import RangeTestResult as RangeTestResult
from autolr.result.result import Result as Result

"""The online search, pure: told scores, it answers with the next action."""

from autolr.online.autolrs import AutoLRS as AutoLRS
from autolr.online.autolrs import Keep as Keep
from autolr.online.autolrs import Stages as Stages
from autolr.online.autolrs import Try as Try
from autolr.online.autolrs import best_of as best_of
from autolr.online.events import Commit as Commit
from autolr.online.events import Probe as Probe
from autolr.online.events import ProbeScore as ProbeScore
from autolr.online.events import RollbackRecord as RollbackRecord
from autolr.online.forecast import Forecast as Forecast
from autolr.online.forecast import expected_end as expected_end
from autolr.online.forecast import forecast_loss as forecast_loss
from autolr.online.monitor import Monitor as Monitor
from autolr.online.peaks import PeakRange as PeakRange
from autolr.online.peaks import parse_rates as parse_rates
from autolr.online.plan import Check as Check
from autolr.online.plan import Round as Round
from autolr.online.plan import plan_rounds as plan_rounds
from autolr.online.reschedule import shrunk as shrunk
from autolr.online.scan import Scan as Scan
from autolr.online.search import Search as Search
from autolr.online.search import Thresholds as Thresholds
from autolr.online.strategy import Annealed as Annealed
from autolr.online.strategy import SearchSettings as SearchSettings
from autolr.online.strategy import parse_strategy as parse_strategy

"""The online search, pure: told scores, it answers with the next action."""

from autolr.online.autolrs import AutoLRS as AutoLRS
from autolr.online.autolrs import Keep as Keep
from autolr.online.autolrs import Stage as Stage
from autolr.online.autolrs import Try as Try
from autolr.online.expected import expected_end as expected_end
from autolr.online.forecast import Forecast as Forecast
from autolr.online.forecast import forecast_loss as forecast_loss
from autolr.online.monitor import Monitor as Monitor
from autolr.online.news import closing as closing
from autolr.online.news import news as news
from autolr.online.plan import Check as Check
from autolr.online.plan import Round as Round
from autolr.online.plan import plan_rounds as plan_rounds
from autolr.online.result import Result as Result
from autolr.online.result import load_result as load_result
from autolr.online.search import Commit as Commit
from autolr.online.search import Judgement as Judgement
from autolr.online.search import Probe as Probe
from autolr.online.search import ProbeScore as ProbeScore
from autolr.online.search import Return as Return
from autolr.online.search import Search as Search
from autolr.online.strategy import Annealed as Annealed
from autolr.online.strategy import Box as Box
from autolr.online.strategy import SearchSettings as SearchSettings
from autolr.online.strategy import parse_rates as parse_rates
from autolr.online.strategy import parse_strategy as parse_strategy

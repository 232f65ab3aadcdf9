"""The online search in pure code: it takes scores and answers with the next action.

Users can write their own `Strategy`; the protocol and its values are experimental. A strategy gets
a `RunInfo`, then an `Observation` after each of its actions `Probe`, `Save`, `Rollback`, `Close`,
`Train` and `Commit`.
"""

from autolr.online.actions import Action as Action
from autolr.online.actions import Close as Close
from autolr.online.actions import Commit as Commit
from autolr.online.actions import Probe as Probe
from autolr.online.actions import Rollback as Rollback
from autolr.online.actions import Save as Save
from autolr.online.actions import Train as Train
from autolr.online.annealed import Annealed as Annealed
from autolr.online.annealed_state import AnnealedState as AnnealedState
from autolr.online.autolrs import AutoLRS as AutoLRS
from autolr.online.autolrs import Stage as Stage
from autolr.online.autolrs_live import LiveStages as LiveStages
from autolr.online.forecast import Forecast as Forecast
from autolr.online.forecast import forecast_loss as forecast_loss
from autolr.online.monitor import Monitor as Monitor
from autolr.online.noise_scale import NoiseScale as NoiseScale
from autolr.online.observation import Observation as Observation
from autolr.online.peaks import PeakRange as PeakRange
from autolr.online.plan import plan_rounds as plan_rounds
from autolr.online.progress import Progress as Progress
from autolr.online.race_entry import RaceEntry as RaceEntry
from autolr.online.records import AveragedEnd as AveragedEnd
from autolr.online.records import ProbeScore as ProbeScore
from autolr.online.records import RollbackRecord as RollbackRecord
from autolr.online.reschedule import scaled as scaled
from autolr.online.reschedule import shrunk as shrunk
from autolr.online.rounds import Check as Check
from autolr.online.rounds import Round as Round
from autolr.online.run_forecast import expected_end as expected_end
from autolr.online.run_info import RunInfo as RunInfo
from autolr.online.scan import Scan as Scan
from autolr.online.search import Search as Search
from autolr.online.settings import SearchSettings as SearchSettings
from autolr.online.settings import parse_strategy as parse_strategy
from autolr.online.strategy import State as State
from autolr.online.strategy import Strategy as Strategy
from autolr.online.thresholds import Thresholds as Thresholds

"""The study loop: ask, train, judge, tell, until the study is complete.

`Engine`, its registry and the messages between a driver and its workers are experimental.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from autolr.driver.engines import Engine as Engine
from autolr.driver.engines import engine as engine
from autolr.driver.engines import engine_class as engine_class
from autolr.driver.events import CheckStarted as CheckStarted
from autolr.driver.events import Event as Event
from autolr.driver.events import Noted as Noted
from autolr.driver.events import RungReached as RungReached
from autolr.driver.events import StudyEstimated as StudyEstimated
from autolr.driver.events import StudyReady as StudyReady
from autolr.driver.events import TrialEnded as TrialEnded
from autolr.driver.events import TrialFailed as TrialFailed
from autolr.driver.events import TrialStarted as TrialStarted
from autolr.driver.events import TuneResult as TuneResult
from autolr.driver.events import WorkerLost as WorkerLost
from autolr.driver.events import WorkersAwaited as WorkersAwaited
from autolr.driver.messages import Answer as Answer
from autolr.driver.messages import CheckConfig as CheckConfig
from autolr.driver.messages import Checked as Checked
from autolr.driver.messages import Done as Done
from autolr.driver.messages import Failed as Failed
from autolr.driver.messages import FromWorker as FromWorker
from autolr.driver.messages import LeaveTrial as LeaveTrial
from autolr.driver.messages import Lost as Lost
from autolr.driver.messages import Ready as Ready
from autolr.driver.messages import Remark as Remark
from autolr.driver.messages import Scored as Scored
from autolr.driver.messages import StudyOver as StudyOver
from autolr.driver.messages import ToWorker as ToWorker
from autolr.driver.messages import TrainTrial as TrainTrial

if TYPE_CHECKING:
    from autolr.driver.jobs import do_job as do_job
    from autolr.driver.loop import tune as tune
    from autolr.driver.remote_worker import run_worker as run_worker

_LAZY = {
    "do_job": "autolr.driver.jobs",
    "run_worker": "autolr.driver.remote_worker",
    "tune": "autolr.driver.loop",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)

"""The study loop: ask, train, judge, tell, until the study is complete."""

from autolr.driver.events import CheckStarted as CheckStarted
from autolr.driver.events import Event as Event
from autolr.driver.events import Noted as Noted
from autolr.driver.events import RungReached as RungReached
from autolr.driver.events import StudyReady as StudyReady
from autolr.driver.events import TrialEnded as TrialEnded
from autolr.driver.events import TrialFailed as TrialFailed
from autolr.driver.events import TrialStarted as TrialStarted
from autolr.driver.events import TuneResult as TuneResult
from autolr.driver.events import WorkerLost as WorkerLost
from autolr.driver.events import WorkersAwaited as WorkersAwaited
from autolr.driver.loop import tune as tune
from autolr.driver.remote_worker import join as join

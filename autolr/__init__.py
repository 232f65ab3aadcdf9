"""autolr: find a good learning-rate schedule while you train.

The names below are the public API; a module or name that starts with an underscore is not.
``import autolr`` loads neither torch, lightning nor optuna: what needs them is imported when it
is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from autolr import schedules as schedules
from autolr._version import __version__ as __version__
from autolr.errors import AutoLRError as AutoLRError
from autolr.errors import ConfigError as ConfigError
from autolr.errors import DivergedError as DivergedError
from autolr.errors import StorageError as StorageError
from autolr.schedules import Schedule as Schedule

if TYPE_CHECKING:
    from autolr.callbacks import ApplyRule as ApplyRule
    from autolr.callbacks import AutoLR as AutoLR
    from autolr.callbacks import AverageLastSteps as AverageLastSteps
    from autolr.callbacks import FollowCandidate as FollowCandidate
    from autolr.callbacks import MergeCheckpoints as MergeCheckpoints
    from autolr.callbacks import RecordNorms as RecordNorms
    from autolr.console import ConsoleProgress as ConsoleProgress
    from autolr.driver import TuneResult as TuneResult
    from autolr.driver import tune as tune
    from autolr.objective import Trial as Trial
    from autolr.online import Annealed as Annealed
    from autolr.result import Result as Result
    from autolr.result import load_result as load_result
    from autolr.runtime.cooldown_scores import score_cooldowns as score_cooldowns
    from autolr.runtime.loop import search as search
    from autolr.runtime.merging import merge_checkpoints as merge_checkpoints
    from autolr.runtime.range_test import range_test as range_test
    from autolr.runtime.torch_learner import TorchLearner as TorchLearner
    from autolr.runtime.tuner import Tuner as Tuner

_LAZY = {
    "Annealed": "autolr.online",
    "ApplyRule": "autolr.callbacks",
    "AutoLR": "autolr.callbacks",
    "AverageLastSteps": "autolr.callbacks",
    "ConsoleProgress": "autolr.console",
    "FollowCandidate": "autolr.callbacks",
    "RecordNorms": "autolr.callbacks",
    "MergeCheckpoints": "autolr.callbacks",
    "Result": "autolr.result",
    "Trial": "autolr.objective",
    "TorchLearner": "autolr.runtime.torch_learner",
    "TuneResult": "autolr.driver",
    "Tuner": "autolr.runtime.tuner",
    "load_result": "autolr.result",
    "merge_checkpoints": "autolr.runtime.merging",
    "score_cooldowns": "autolr.runtime.cooldown_scores",
    "range_test": "autolr.runtime.range_test",
    "search": "autolr.runtime.loop",
    "tune": "autolr.driver",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'autolr' has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_LAZY])

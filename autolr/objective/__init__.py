"""What trains one trial: a protocol, with LightningCLI and a Python function to fulfil it.

Importing this package loads neither torch nor Lightning; `fit` and the objectives do, when they
are first used. `Objective` and its values are experimental.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from autolr.job import Decision as Decision
from autolr.job import Judge as Judge
from autolr.job import TrialJob as TrialJob
from autolr.job import TrialResult as TrialResult
from autolr.objective.function_path import path_of as path_of
from autolr.objective.functions import check_importable as check_importable
from autolr.objective.functions import given as given
from autolr.objective.loading import check_run as check_run
from autolr.objective.loading import modules_of as modules_of
from autolr.objective.loading import run_trial as run_trial
from autolr.objective.protocol import Checkup as Checkup
from autolr.objective.protocol import Objective as Objective

if TYPE_CHECKING:
    from autolr.objective.fitting import fit_function as fit_function
    from autolr.objective.fitting import fit_lines as fit_lines
    from autolr.objective.lightning_objective import LightningCLIObjective as LightningCLIObjective
    from autolr.objective.run import fit as fit
    from autolr.objective.trial import Trial as Trial

_LAZY = {
    "LightningCLIObjective": "autolr.objective.lightning_objective",
    "Trial": "autolr.objective.trial",
    "fit": "autolr.objective.run",
    "fit_function": "autolr.objective.fitting",
    "fit_lines": "autolr.objective.fitting",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)

"""The objective of a LightningCLI config: model, data and trainer."""

from collections.abc import Callable
from pathlib import Path

from typing_extensions import override

from autolr.config import Config
from autolr.job import Judge, TrialJob, TrialResult
from autolr.objective import check, run
from autolr.objective.protocol import Checkup, Objective


class LightningCLIObjective(Objective):
    """Trains what LightningCLI makes of a config, with the shipped callbacks; see `Objective`."""

    @override
    def check(self, config: Config, folder: Path) -> Checkup:
        """Set a run up to its first training step; see `Objective`."""
        return check.check_lightning_run(config, folder)

    @override
    def run(self, job: TrialJob, judge: Judge, leave: Callable[[], bool]) -> TrialResult:
        """Train through an ordinary Trainer; see `Objective`."""
        return run.run_lightning_trial(job, judge, leave)

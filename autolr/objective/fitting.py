"""Calling the function of a best.yaml once, outside a study."""

from pathlib import Path

from typing_extensions import override

from autolr.candidate import Candidate
from autolr.config import OBJECTIVE, Config
from autolr.errors import ConfigError
from autolr.job import Decision, Judge, TrialJob
from autolr.objective.function import CANDIDATE, FunctionObjective


class _Alone(Judge):
    """The judge of a run that belongs to no study."""

    @override
    def judge(self, step: int, score: float) -> Decision:
        """Continue."""
        return Decision.CONTINUE

    @override
    def remark(self, line: str) -> None:
        """Drop the line: nothing was saved by another run."""


def fit_function(config: Config, out: Path | None) -> float:
    """Call the function of a best.yaml with its candidate; return the final score.

    Args:
        config: With the candidate in its section ``objective:``.
        out: The trial's folder; None: autolr_runs/fit.

    Raises:
        ConfigError: If the config cannot work.
        UserCodeError: If the function raises.
    """
    section = config.fit[OBJECTIVE]
    if CANDIDATE not in section:
        raise ConfigError(
            f"autolr fit trains the {OBJECTIVE}.{CANDIDATE} of a best.yaml, and this config has "
            "none: autolr tune searches it"
        )
    objective = FunctionObjective(section, config.folder)
    candidate = Candidate.from_dict(section[CANDIDATE])
    folder = Path("autolr_runs/fit") if out is None else out
    steps = section.get("max_steps", 1)
    job = TrialJob(config, candidate, folder, (), steps, trial=f"fit {candidate.id}")
    return objective.run(job, _Alone(), lambda: False).value

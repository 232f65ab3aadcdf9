"""What trains one trial: the protocol of an objective.

Experimental: the protocol may change between minor versions.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol

from autolr.config import Config
from autolr.job import Judge, TrialJob, TrialResult
from autolr.memory import RunBytes


class Checkup(NamedTuple):
    """What is known of a run before it trains.

    Attributes:
        run_steps: Optimizer steps of one whole run.
        warnings: What may go wrong with the trials, a line each.
        pauses: Whether a run can leave a checkpoint at a rung and be resumed from it. Where it
            cannot, a trial that is not promoted ends at its rung.
        memory: What a run holds, as far as it is known; the largest, where trials differ.
        searches: Whether a run can search its own peak, with `AutoLR`.
        optimizer: The class name of a run's own optimizer; None: it is not known.
    """

    run_steps: int
    warnings: tuple[str, ...] = ()
    pauses: bool = True
    memory: RunBytes | None = None
    searches: bool = False
    optimizer: str | None = None


class Objective(Protocol):
    """Checks a config and trains the trials of a study; one is made for each check and job.

    Experimental: it may change between minor versions.

    A config names it where a LightningCLI config has model, data and trainer, with the keys that
    jsonargparse and Lightning use for every class of a user's:

        objective: {class_path: my_project.MyObjective, init_args: {width: 64}}

    A section of its own rather than a setting of ``tune:``, since all that holds for ``model:``
    then holds for it: the space can search ``objective.init_args.width``, the study's fingerprint
    and best.yaml have its arguments, and workers on any host get them. The settings of a candidate
    are in the arguments of the constructor; its peak, schedule and rule are in ``job.candidate``,
    and it is for `run` to apply them.

    Any exception that it raises counts as one of the user's code; autolr's own errors keep their
    meaning. It may be used outside the main thread and in a process of its own.
    """

    def check(self, config: Config, folder: Path) -> Checkup:
        """Check what can be checked before the first training step.

        Args:
            config: The whole config.
            folder: Where the study writes.
        """

    def run(self, job: TrialJob, judge: Judge, leave: Callable[[], bool]) -> TrialResult:
        """Train one candidate from its start or checkpoint, and return what it came to.

        At each rung that is not among ``job.known`` it reports the score; with any decision but
        CONTINUE it returns at once: ``paused`` with a checkpoint behind it if that was PAUSE and
        ``job.pauses``, else ``pruned`` (PAUSE) or ``diverged`` (STOP).

        Args:
            job: What to train.
            judge: Decides at the rungs.
            leave: Whether to return as soon as possible, ``paused``.
        """

"""The jobs of a study's trials, and where each keeps its files."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from autolr import study
from autolr.candidate import Candidate
from autolr.config import Config
from autolr.disk import remove
from autolr.driver.devices import per_trial
from autolr.driver.messages import for_workers
from autolr.driver.seeds import Runs
from autolr.job import WEIGHTS, PeakSearch, TrialJob
from autolr.study import Hyperband, TrialRecord

_SEEDS = 2**32  # numpy's, and so Lightning's


class TrialFiles:
    """Makes the jobs of trials, each with its seed, folder and checkpoint.

    Args:
        config: The whole config.
        hyperband: The brackets; None without pruning.
        run_steps: Optimizer steps of a whole run.
        identity: Distinguishes the study from all others.
        pauses: Whether a run can be resumed from a rung.
        prior: A peak by rule, around which the searches inside its trials begin.
    """

    def __init__(
        self,
        config: Config,
        hyperband: Hyperband | None,
        run_steps: int,
        identity: str,
        *,
        pauses: bool,
        prior: Mapping[str, float],
    ) -> None:
        self.pauses = pauses and config.tune.pruner.pause
        self._config = config
        self._hyperband = hyperband
        self._run_steps = run_steps
        self._identity = identity
        self._prior = prior
        self._without: set[int] = set()  # trials that are over, and whose weights are removed

    def folder(self, number: int, index: int | None = None) -> Path:
        """Return where a trial logs.

        Args:
            number: The trial.
            index: Of a run of it, where it has several seeds; None: the folder of all.
        """
        folder = self._config.tune.folder / f"trial_{number}"
        if index is None or self._config.tune.seeds == 1:
            return folder
        return folder / f"seed_{self._seed(index)}"

    def run_name(self, index: int) -> str:
        """Return what begins a line about a run of a trial that has several seeds; "" for one.

        Args:
            index: The run.
        """
        return "" if self._config.tune.seeds == 1 else f"seed {self._seed(index)}: "

    def job(
        self,
        record: TrialRecord,
        candidate: Candidate,
        runs: Runs,
        index: int,
        search: PeakSearch | None = None,
    ) -> TrialJob:
        """Return the next job of a run of a trial.

        Args:
            record: The trial.
            candidate: What it is trained with.
            runs: What is known of its runs.
            index: The run.
            search: What the search of a candidate without a peak may choose; None: any peak.
        """
        several = self._config.tune.seeds > 1
        bracket = record.attrs.get("bracket") or 0
        ranks = per_trial(self._config.fit.get("trainer"))
        mark = f"{self._identity} {record.number}"
        known = self._prior.get(candidate.rule) if candidate.peak is None else None
        return TrialJob(
            config=replace(for_workers(self._config), seed=self._seed(index)),
            candidate=candidate,
            folder=self.folder(record.number, index),
            rungs=() if self._hyperband is None else self._hyperband.rungs(bracket),
            run_steps=self._run_steps,
            known=tuple(runs.runs[index].scores if several else record.scores),
            pauses=self.pauses and not (ranks > 1 and candidate.peak is None),  # no search resumes
            trial=f"{mark} seed {index}" if several else mark,
            number=record.number,
            search=search,
            keeps=self._config.tune.keep > 0,
            near=None if known is None else study.peak_of_search(known),
        )

    def forget(self, number: int, index: int) -> None:
        """Remove what a run may be resumed from: of another study, or what broke it; its weights.

        Args:
            number: The trial.
            index: The run.
        """
        (self.folder(number, index) / "rung.ckpt").unlink(missing_ok=True)
        self._forget_weights(number, index)

    def tidy(self, number: int) -> None:
        """Remove what a trial that is over needs no more."""
        for index in range(self._config.tune.seeds):
            folder = self.folder(number, index)
            (folder / "rung.ckpt").unlink(missing_ok=True)
            (folder / "job.json").unlink(missing_ok=True)  # of a worker that was killed

    def keep_best(self, trials: Sequence[TrialRecord]) -> None:
        """Remove the weights of trials that are over and not, or no longer, among the best.

        Args:
            trials: All trials of the study.
        """
        best = study.keepers(trials, self._config.tune.direction, self._config.tune.keep)
        over = {trial.number for trial in trials if not trial.open}
        for number in (over - self._without) - best:
            for index in range(self._config.tune.seeds):
                self._forget_weights(number, index)
        self._without = over - best

    def _forget_weights(self, number: int, index: int) -> None:
        remove(self.folder(number, index) / WEIGHTS)  # a folder, as sharded strategies write it

    def _seed(self, index: int) -> int:
        return (self._config.seed + index) % _SEEDS

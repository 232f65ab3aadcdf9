"""Training a candidate, or the run of a config."""

import logging
import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autolr.callbacks import ApplyRule, AutoLR, FollowCandidate, PruneTrial
from autolr.callbacks.namespaces import Callback, SIGTERMException, Trainer, either
from autolr.callbacks.pause import PauseTrial, TrialPaused
from autolr.callbacks.position import DataPosition
from autolr.callbacks.record import JsonLines
from autolr.candidate import Candidate
from autolr.config import Config, TuneConfig, set_dotted
from autolr.errors import DivergedError
from autolr.job import Decision, Judge, TrialJob, TrialResult
from autolr.objective.blame import before_first_step, no_exit
from autolr.objective.lightning_cli import instantiate, quiet_lightning, trial_config, users_code
from autolr.runtime.loading import UnreadableError, allowing, load

if TYPE_CHECKING:
    from autolr.callbacks.namespaces import LightningCLI
    from autolr.callbacks.prune import Reporter


def _never() -> bool:
    return False


def run_trial(
    job: TrialJob,
    judge: Judge,
    leave_requested: Callable[[], bool] = _never,
    remark: Callable[[str], None] = lambda line: None,
) -> TrialResult:
    """Train one candidate through an ordinary Trainer and score it.

    Args:
        job: What to train. Where its checkpoint is there, the run goes on from it.
        judge: Is told the scores at the rungs, and decides.
        leave_requested: Returns whether the trial shall be paused as soon as possible.
        remark: Gets a line if the checkpoint is there and cannot be used.

    Raises:
        ConfigError: If the config cannot work, before the first training step; or if a checkpoint
            would hold what is not loaded again.
        SetupError: If the model or the data raise before the first step of the job.
        UserCodeError: If they raise later, or memory or a connection is missing.
    """
    started = time.monotonic()
    tune = job.config.tune
    pause = PauseTrial(judge, job.checkpoint, leave_requested, job.known, job.trial)
    trial: Reporter = pause if job.pauses else _Stopping(judge)
    horizon = job.run_steps
    prune = PruneTrial(trial, job.rungs, horizon=horizon, monitor=tune.monitor, mode=tune.mode)
    setters = rate_callbacks(job.candidate, tune)
    made: list[Trainer] = []
    with before_first_step(made), users_code(job.folder), quiet_lightning(job.config):
        fit = trial_config(job.config.fit, job.candidate, job.folder)
        cli = instantiate(fit, job.config.folder, job.config.seed)
        trainer: Any = cli.trainer
        made.append(trainer)
        trainer.callbacks[:0] = [pause, *setters, prune]
        trainer.callbacks.append(DataPosition(pause.leaving))
        with no_exit(), allowing(tune.safe_globals):
            decision = _fit(cli, job, pause, remark)
        steps = trainer.global_step
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
    ended = decision == "go" and not prune.pruned and not prune.diverged
    probe_steps, peak = _searched(setters[-1])
    return TrialResult(
        value=prune.final.get(tune.monitor, math.nan),
        metrics=metrics | prune.final,
        steps=steps + probe_steps,
        run_steps=prune.run_steps,
        seconds=time.monotonic() - started,
        peak=job.candidate.peak if peak is None else peak,
        pruned=prune.pruned,
        diverged=prune.diverged or decision == "stop",
        waits=decision == "wait",
        stopped_at=steps if ended and steps < prune.run_steps else None,
    )


def _fit(
    cli: "LightningCLI", job: TrialJob, pause: PauseTrial, remark: Callable[[str], None]
) -> Decision:
    """Train to the end, or until the run is left; return why."""
    resumed, steps = _resumed(job.checkpoint, pause, remark)
    cli.trainer.loggers.append(JsonLines(job.folder, steps))
    try:
        cli.trainer.fit(cli.model, datamodule=cli.datamodule, ckpt_path=resumed, weights_only=True)
    except DivergedError:  # every peak that was tried inside the run
        return "stop"
    except TrialPaused:
        return pause.decision
    except either(SIGTERMException):  # Lightning was faster
        return "wait"
    return "go"


def fit(config: Config, out: Path | None) -> "AutoLR | None":
    """Train the run of a config as LightningCLI would; return the AutoLR that was attached.

    A config that fixes a candidate (it has a `FollowCandidate`, as best.yaml does) or has an
    `AutoLR` of its own is trained as it is: then None.

    Raises:
        ConfigError: If the config cannot work; before the first training step.
        UserCodeError: If the model or the data raise.
    """
    attached: AutoLR | None = None
    with users_code(out or Path.cwd()), quiet_lightning(config, logging.WARNING):
        section = (
            config.fit
            if out is None
            else set_dotted(config.fit, "trainer.default_root_dir", str(out))
        )
        cli = instantiate(section, config.folder, config.seed)
        callbacks = cli.trainer.callbacks  # type: ignore[attr-defined]
        if not any(isinstance(callback, FollowCandidate | AutoLR) for callback in callbacks):
            attached = AutoLR(monitor=config.tune.monitor, mode=config.tune.mode, save_to=out)
            callbacks.insert(0, attached)
        with allowing(config.tune.safe_globals):  # SLURM may have left a checkpoint in the folder
            cli.trainer.fit(cli.model, datamodule=cli.datamodule, weights_only=True)
    return attached


def rate_callbacks(candidate: Candidate, tune: TuneConfig) -> list[Callback]:
    """Return the callbacks that set the candidate's rate: its rule's, if there is one, first."""
    applied: list[Callback] = []
    if not candidate.is_own:
        applied = [ApplyRule(candidate.rule, dict(candidate.rule_settings))]
    if candidate.peak is None:
        return [*applied, AutoLR(schedule=candidate.schedule, monitor=tune.monitor, mode=tune.mode)]
    return [*applied, FollowCandidate(candidate.peak, candidate.schedule)]


class _Stopping:
    """Has `PruneTrial` stop a run at the rung where it is not let pass."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._stops = False

    def report(self, value: float, step: int) -> None:
        """Ask the judge."""
        self._stops = self._judge.judge(step, value) != "go"

    def should_prune(self) -> bool:
        """Return whether the last score was too bad."""
        return self._stops


def _searched(callback: Callback) -> tuple[int, float | None]:
    """Return the probe steps so far and the peak, None before a search inside the run has ended."""
    if not isinstance(callback, AutoLR):
        return 0, None
    try:
        return callback.result.probe_steps, callback.result.run_peak
    except AttributeError:
        search = callback.state_dict()["search"]
        return (0 if search is None else search["rivals"]["probe_steps"]), None


def _resumed(
    checkpoint: Path, pause: PauseTrial, remark: Callable[[str], None]
) -> tuple[Path | None, int]:
    """Return the checkpoint to go on from and its steps; None where there is none of the trial."""
    if not os.path.lexists(checkpoint):
        return None, 0
    try:
        return checkpoint, pause.step_of(load(checkpoint))
    except UnreadableError as error:
        remark(f"{checkpoint} is not used, {error}; the trial begins anew")
        return None, 0

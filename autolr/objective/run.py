"""Training a candidate, or the run of a config, through LightningCLI."""

import logging
import math
import os
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autolr.callbacks import AutoLR, FollowCandidate, PruneTrial
from autolr.callbacks.keep_weights import KeepWeights
from autolr.callbacks.namespaces import Callback, SIGTERMException, Trainer, either
from autolr.callbacks.own_length import OwnLength
from autolr.callbacks.pause import PauseTrial, TrialPaused
from autolr.callbacks.position import DataPosition
from autolr.callbacks.record import JsonLines
from autolr.callbacks.trial_settings import TrialSettings
from autolr.callbacks.trial_state import TrialState
from autolr.config import Config, set_dotted
from autolr.errors import ConfigError, DivergedError
from autolr.job import Decision, Judge, TrialJob, TrialResult
from autolr.objective.fitted import Fitted
from autolr.objective.interrupted import checkpoint_of, telling_of_signals
from autolr.objective.lightning_cli import (
    instantiate,
    lightning_errors,
    monitor_of_tune,
    quiet_in,
    quiet_lightning,
    trial_config,
)
from autolr.objective.own_cli import prepare
from autolr.objective.rate_callbacks import own_peak, rate_callbacks, shaping
from autolr.objective.user_code import before_first_step, no_exit
from autolr.online.annealed import default_schedule
from autolr.online.prior_peak import PriorPeak
from autolr.result.result import Result
from autolr.runtime.loading import UnreadableError, allowing, load

if TYPE_CHECKING:
    from autolr.callbacks.namespaces import LightningCLI
    from autolr.callbacks.prune import Reporter


def run_lightning_trial(job: TrialJob, judge: Judge, leave: Callable[[], bool]) -> TrialResult:
    """Train one candidate through an ordinary Trainer and score it.

    Args:
        job: What to train. A run whose checkpoint exists is resumed from it.
        judge: Gets the scores at the rungs and decides; gets a line if the checkpoint exists and
            cannot be used.
        leave: Whether to write a checkpoint and leave as soon as possible.

    Raises:
        ConfigError: If the config cannot work, before the first training step; or if a checkpoint
            would hold what is not loaded again.
        SetupError: If the model or the data raise before the first step of the job, or a value
            that the space sets in the config cannot work.
        UserCodeError: If they raise later, or memory or a connection is missing.
    """
    started = time.monotonic()
    tune = job.config.tune
    pause = PauseTrial(judge, job.checkpoint, leave, job.known, job.trial)
    trial: Reporter = pause if job.pauses else _Stopping(judge)
    horizon = job.run_steps
    prune = PruneTrial(trial, job.rungs, horizon=horizon, monitor=tune.monitor, mode=tune.mode)
    setters = rate_callbacks(job.candidate, tune, job.config.space, job.search, _near(job))
    made: list[Trainer] = []
    sampled = bool(job.candidate.settings) and not os.path.lexists(job.checkpoint)
    begun = before_first_step(lambda: any(trainer.global_step for trainer in made), sampled=sampled)
    with begun, monitor_of_tune(), lightning_errors(job.folder), quiet_lightning(job.config):
        fit = trial_config(job.config.fit, job.candidate)
        cli = instantiate(job.config, fit, quiet=quiet_in(job.folder))
        trainer: Any = cli.trainer
        made.append(trainer)
        trainer.callbacks[:0] = [TrialState(judge.remark), pause, *setters, prune]
        settings = TrialSettings(job.named, keeps_shape=not shaping(job.config.space))
        length = OwnLength(prune, horizon, job.known, judge.remark)
        trainer.callbacks += [DataPosition(pause.leaving), settings, length]
        if job.keeps:
            trainer.callbacks.append(KeepWeights(job.weights, prune, judge.remark))
        with no_exit(), allowing(tune.safe_globals):
            prepare(cli)
            decision = _fit(cli, job, pause, judge)
        steps = prune.made
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
    ended = decision is Decision.CONTINUE and not prune.pruned and not prune.diverged
    probe_steps, found = _searched(setters[-1])
    if found is not None and (prior := found.prior) is not None and not prior.raced:
        judge.remark(
            f"the prior, a peak of {prior.peak:.3g} of a search, is too far from the rates of such "
            "runs: this one was searched as without it"
        )
    return TrialResult(
        value=prune.final.get(tune.monitor, math.nan),
        metrics=metrics | prune.final,
        steps=steps + probe_steps,
        run_steps=prune.run_steps,
        seconds=time.monotonic() - started,
        peak=job.candidate.peak if found is None else found.run_peak,
        pruned=prune.pruned,
        diverged=prune.diverged or decision is Decision.STOP,
        paused=decision is Decision.PAUSE,
        stopped_at=steps if ended and prune.ended_early else None,
        own_peak=own_peak(setters[-1]),
        schedule=None if found is None else found.schedule,
        searched=found is not None and found.compared and bool(found.scores),
        discarded=0 if found is None else found.discarded_steps,
        averaged=found.averaged.window if found is not None and found.averaged else 0,
    )


def _near(job: TrialJob) -> PriorPeak | None:
    """Return the peak around which a search in the run begins, as that of an earlier search."""
    if job.near is None:
        return None
    return PriorPeak(job.near, default_schedule(()), job.run_steps)


def _fit(cli: "LightningCLI", job: TrialJob, pause: PauseTrial, judge: Judge) -> Decision:
    """Train to the end, or until the run is left; return why."""
    resumed, steps = _resumed(job.checkpoint, pause, judge)
    cli.trainer.loggers.append(JsonLines(job.folder, steps))
    try:
        cli.trainer.fit(cli.model, datamodule=cli.datamodule, ckpt_path=resumed, weights_only=True)
    except DivergedError:  # every peak that was tried inside the run
        return Decision.STOP
    except TrialPaused:
        return pause.decision
    except either(SIGTERMException):  # Lightning was faster
        return Decision.PAUSE
    return Decision.CONTINUE


def fit(config: Config, out: Path | None, *, repeated: bool = False) -> Fitted | None:
    """Train the run of a config as LightningCLI would; return what it came to.

    An `AutoLR` is attached, unless the config fixes a candidate (it has a `FollowCandidate`, as
    best.yaml does) or has an `AutoLR` of its own. Of several ranks the first one returns it; the
    others None.

    Args:
        config: The whole config.
        out: Where the run writes; None: where the Trainer does by default.
        repeated: Whether this process trains other runs as well.

    Raises:
        ConfigError: If the config cannot work, or a run of several processes is to be repeated in
            this one; before the first training step.
        InterruptedRunError: If SIGINT or SIGTERM ends the run.
        UserCodeError: If the model or the data raise.
    """
    if config.names_objective:
        raise ConfigError("autolr fit trains LightningCLI configs, and this one names an objective")
    attached: AutoLR | None = None
    with lightning_errors(out or Path.cwd()), quiet_lightning(config, logging.WARNING):
        section = (
            config.fit
            if out is None
            else set_dotted(config.fit, "trainer.default_root_dir", str(out))
        )
        cli = instantiate(config, section)
        callbacks = cli.trainer.callbacks  # type: ignore[attr-defined]
        if not any(isinstance(callback, FollowCandidate | AutoLR) for callback in callbacks):
            attached = AutoLR(monitor=config.tune.monitor, mode=config.tune.mode, save_to=out)
            callbacks.insert(0, attached)
        if repeated and cli.trainer.world_size > 1:
            raise ConfigError(
                "seeds must be 1 for a run on several devices, whose processes train one run: "
                "start autolr fit for each value of seed_everything"
            )
        with (
            allowing(config.tune.safe_globals),  # SLURM may have left a checkpoint in the folder
            nullcontext() if attached is None else monitor_of_tune(),
        ):
            prepare(cli)
            with telling_of_signals(cli.trainer):
                cli.trainer.fit(
                    cli.model,
                    datamodule=cli.datamodule,
                    ckpt_path=config.checkpoint,
                    weights_only=True,
                )
    if not cli.trainer.is_global_zero:
        return None
    return _fitted(cli.trainer, None if attached is None else str(attached.result))


def _fitted(trainer: Trainer, search: str | None) -> Fitted:
    metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
    score = getattr(trainer.checkpoint_callback, "best_model_score", None)
    return Fitted(metrics, checkpoint_of(trainer), None if score is None else float(score), search)


class _Stopping:
    """Has `PruneTrial` stop a run at the rung where it is not promoted."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._stops = False

    def report(self, value: float, step: int) -> None:
        """Ask the judge."""
        self._stops = self._judge.judge(step, value) is not Decision.CONTINUE

    def should_prune(self) -> bool:
        """Return whether the last score was too bad."""
        return self._stops


def _searched(callback: Callback) -> tuple[int, Result | None]:
    """Return the probe steps so far, and the result of a search inside the run that is over."""
    if not isinstance(callback, AutoLR):
        return 0, None
    try:
        return callback.result.probe_steps, callback.result
    except AttributeError:
        search = callback.state_dict()["search"]
        return (0 if search is None else search["rivals"]["probe_steps"]), None


def _resumed(checkpoint: Path, pause: PauseTrial, judge: Judge) -> tuple[Path | None, int]:
    """Return the checkpoint to resume from and its steps; None where the trial has none."""
    if not os.path.lexists(checkpoint):
        return None, 0
    try:
        return checkpoint, pause.step_of(load(checkpoint))
    except UnreadableError as error:
        judge.remark(f"{checkpoint} is not used, {error}; the trial begins anew")
        return None, 0

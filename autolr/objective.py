"""One run: config and candidate -> LightningCLI -> Trainer -> score."""

import contextlib
import logging
import math
import sys
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentError
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.cli import LightningCLI
from typing_extensions import override

from autolr.callbacks import AutoLR, FollowCandidate, PruneTrial
from autolr.callbacks.prune import Reporter
from autolr.callbacks.requirements import total_steps
from autolr.candidate import Candidate
from autolr.config import Config, TuneConfig, set_dotted
from autolr.errors import AutoLRError, ConfigError, UserCodeError

_TRIAL_DEFAULTS = {  # unless the config says otherwise; a study of many runs is to be quiet
    "enable_progress_bar": False,
    "enable_model_summary": False,
    "enable_checkpointing": False,
}
_ERROR_LENGTH = 300  # characters of a parser's message that are shown


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to.

    Attributes:
        value: The monitored metric at the end.
        metrics: Every metric as it was logged last.
        steps: Optimizer steps in all, probes included.
        run_steps: Optimizer steps of the whole run, the horizon of its schedule.
        seconds: Wall time.
        peak: The peak of the rate, given or found.
        pruned: Whether the run was stopped at a rung.
        diverged: Whether its loss stopped being finite.
    """

    value: float
    metrics: Mapping[str, float]
    steps: int
    run_steps: int
    seconds: float
    peak: float
    pruned: bool
    diverged: bool


def run_trial(
    config: Config,
    candidate: Candidate,
    folder: Path,
    trial: Reporter,
    rungs: Sequence[int],
    run_steps: int,
) -> Outcome:
    """Train one candidate through an ordinary Trainer and score it.

    Args:
        config: The study's config.
        candidate: What to train with.
        folder: Where the run logs.
        trial: Is told the scores at the rungs.
        rungs: Optimizer steps at which it is, in a run of ``run_steps`` steps.
        run_steps: Length of the run that the rungs are meant for. A run of another length, as
            with another batch size, is judged at the same shares of its own.

    Raises:
        ConfigError: If the config cannot work; before the first training step.
        UserCodeError: If the model or the data raise.
    """
    started = time.monotonic()
    tune = config.tune
    prune = PruneTrial(trial, rungs, horizon=run_steps, monitor=tune.monitor, mode=tune.mode)
    pilot = _pilot(candidate, tune)
    steps, metrics = 0, {}
    with _users_code(), quiet_lightning():
        cli = _instantiate(_trial_config(config, candidate, folder), config.folder, config.seed)
        cli.trainer.callbacks[:0] = [pilot, prune]  # type: ignore[attr-defined]
        cli.trainer.fit(cli.model, datamodule=cli.datamodule)
        steps = cli.trainer.global_step + prune.probe_steps
        metrics = {name: float(value) for name, value in cli.trainer.callback_metrics.items()}
    peak = candidate.peak
    if isinstance(pilot, AutoLR):
        peak = pilot.result.peak
        steps += pilot.result.probe_steps
    return Outcome(
        value=prune.final.get(tune.monitor, math.nan),
        metrics=metrics | prune.final,
        steps=steps,
        run_steps=prune.run_steps,
        seconds=time.monotonic() - started,
        peak=peak if peak is not None else math.nan,
        pruned=prune.pruned,
        diverged=prune.diverged,
    )


def check_run(config: Config, folder: Path) -> int:
    """Set a run up to its first training step, and return its optimizer steps.

    Everything that can be known before training is checked: the classes, their arguments, the
    data, the optimizer, and whether validation logs the monitored metric.

    Raises:
        ConfigError: If the config cannot work.
        UserCodeError: If the model or the data raise.
    """
    candidate = Candidate(peak=1e-3)
    tune = config.tune
    look = _Look()
    with _users_code(), quiet_lightning():
        fit = _trial_config(config, candidate, folder)
        fit["trainer"] |= {"logger": False, "num_sanity_val_steps": 0}
        cli = _instantiate(fit, config.folder, config.seed)
        watch = PruneTrial(_NoReports(), (), monitor=tune.monitor, mode=tune.mode)
        ours: list[Callback] = [_pilot(candidate, tune), watch, look]
        cli.trainer.callbacks[:0] = ours  # type: ignore[attr-defined]
        with contextlib.suppress(_LookedAt):
            cli.trainer.fit(cli.model, datamodule=cli.datamodule)
    return look.total_steps


def fit(config: Config, out: Path | None) -> "AutoLR | None":
    """Train the run of a config as LightningCLI would; return the AutoLR that was attached.

    A config that fixes a candidate (it has a `FollowCandidate`, as best.yaml does) or has an
    `AutoLR` of its own is trained as it is: then None.

    Raises:
        ConfigError: If the config cannot work; before the first training step.
        UserCodeError: If the model or the data raise.
    """
    attached: AutoLR | None = None
    with _users_code():
        section = (
            config.fit
            if out is None
            else set_dotted(config.fit, "trainer.default_root_dir", str(out))
        )
        cli = _instantiate(section, config.folder, config.seed)
        callbacks = cli.trainer.callbacks  # type: ignore[attr-defined]
        if not any(isinstance(callback, FollowCandidate | AutoLR) for callback in callbacks):
            attached = AutoLR(monitor=config.tune.monitor, mode=config.tune.mode, save_to=out)
            callbacks.insert(0, attached)
        cli.trainer.fit(cli.model, datamodule=cli.datamodule)
    return attached


@contextlib.contextmanager
def quiet_lightning() -> Iterator[None]:
    """Silence Lightning's banners and warnings for a block."""
    loggers = [logging.getLogger(f"lightning.{part}") for part in ("pytorch", "fabric")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            for logger in loggers:
                logger.setLevel(logging.ERROR)
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


class _NoReports:
    """A trial that is never pruned."""

    def report(self, value: float, step: int) -> None:
        """Forget the value."""

    def should_prune(self) -> bool:
        """Go on."""
        return False


class _LookedAt(BaseException):
    """Leaves a fit before its first step; no Exception, so that nobody catches it."""


class _Look(Callback):
    """Notes the length of the run and leaves before its first step."""

    total_steps = 0

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.total_steps = total_steps(trainer, "autolr tune")
        raise _LookedAt


def _pilot(candidate: Candidate, tune: TuneConfig) -> AutoLR | FollowCandidate:
    """Return the callback that sets the candidate's rate."""
    if candidate.peak is None:
        return AutoLR(schedule=candidate.schedule, monitor=tune.monitor, mode=tune.mode)
    return FollowCandidate(candidate.peak, candidate.schedule)


def _trial_config(config: Config, candidate: Candidate, folder: Path) -> dict[str, Any]:
    """Return the LightningCLI config of one trial."""
    merged: dict[str, Any] = dict(config.fit)
    for name, value in candidate.settings:
        merged = set_dotted(merged, name, value)
    logger = {
        "class_path": "lightning.pytorch.loggers.CSVLogger",
        "init_args": {"save_dir": str(folder), "name": "", "version": ""},
    }
    defaults = {**_TRIAL_DEFAULTS, "logger": logger, "default_root_dir": str(folder)}
    return merged | {"trainer": {**defaults, **(merged.get("trainer") or {})}}


def _instantiate(fit: dict[str, Any], folder: Path, seed: int) -> LightningCLI:
    """Parse and build model, data and trainer; the folder and the present one are importable."""
    for place in (str(Path.cwd()), str(folder)):
        if place not in sys.path:
            sys.path.insert(0, place)
    arguments, sys.argv = sys.argv, sys.argv[:1]  # LightningCLI warns about any other
    try:
        return LightningCLI(
            args={**fit, "seed_everything": seed},
            run=False,
            save_config_callback=None,
            parser_kwargs={"exit_on_error": False},
        )
    except ArgumentError as error:
        raise ConfigError(_one_line(str(error))) from None
    finally:
        sys.argv = arguments


@contextlib.contextmanager
def _users_code() -> Iterator[None]:
    """Give errors of the user's code a name of their own; ours and interrupts pass."""
    try:
        yield
    except AutoLRError:
        raise
    except Exception as error:
        raise UserCodeError(_one_line(f"{type(error).__name__}: {error}")) from error


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _ERROR_LENGTH else line[: _ERROR_LENGTH - 1] + "…"

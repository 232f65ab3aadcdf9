"""Everything that can be known of a LightningCLI run before it trains."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from autolr.callbacks import ApplyRule, AutoLR, FollowCandidate, PruneTrial
from autolr.callbacks.averaged_end import check_no_average
from autolr.callbacks.early_end import early_stoppers
from autolr.callbacks.namespaces import Callback, LightningModule, Trainer
from autolr.callbacks.requirements import check_optimizer, check_space_shapes
from autolr.callbacks.run_length import RunLength
from autolr.callbacks.step_count import StepCount
from autolr.callbacks.trial_state import stateful_parts
from autolr.candidate import Candidate
from autolr.config import Config
from autolr.counted import counted
from autolr.errors import ConfigError
from autolr.memory import RunBytes
from autolr.objective.corners import corners, filled, opened
from autolr.objective.holding import Holding
from autolr.objective.lightning_cli import (
    instantiate,
    lightning_errors,
    monitor_of_tune,
    parsed,
    parsing,
    quiet_in,
    quiet_lightning,
    trial_config,
)
from autolr.objective.loggers import check_loggers
from autolr.objective.own_cli import check_devices, differences, fit_parser, prepare
from autolr.objective.protocol import Checkup
from autolr.objective.rate_callbacks import rate_callbacks, shaping
from autolr.objective.user_code import no_exit
from autolr.objective.users_namespace import namespace
from autolr.objective.watched import one_folder, unlogged
from autolr.runtime.data_sources import changed_in_workers
from autolr.runtime.joint_optimizer import JointOptimizer
from autolr.runtime.loading import allowing
from autolr.runtime.loading_checks import check_kept
from autolr.runtime.optimizer_peaks import name_of
from autolr.runtime.outside_checkpoint import unkept
from autolr.space import Space
from autolr.tune_config import TuneConfig

if TYPE_CHECKING:
    from autolr.callbacks.namespaces import LightningCLI

_RATES = ("lr", "learning_rate")  # what modules call the rate of their optimizer
_NO_LOGGER = "loggers.logger.DummyLogger"  # False upsets monitors


def check_lightning_run(config: Config, folder: Path) -> Checkup:
    """Set a run up to its first training step, and return what is known of it then.

    Everything that can be known before training is checked: the classes, their arguments, those
    that the space sets too, the data, the optimizer, and whether validation logs the monitored
    metric. What the config leaves open and the space sets has its first value there.

    Args:
        config: The whole config.
        folder: Where the run writes.

    Raises:
        ConfigError: If the config cannot work.
        UserCodeError: If the model or the data raise.
    """
    candidate = Candidate(peak=1e-3)
    tune = config.tune
    holding = Holding(config.space, online=tune.online)
    watch = PruneTrial(_NoReports(), (), monitor=tune.monitor, mode=tune.mode)
    look = _Look(holding, shaping(config.space), watch)
    with monitor_of_tune(), lightning_errors(folder), quiet_lightning(config):
        fit = trial_config(filled(config), candidate)
        logger = {"class_path": f"{namespace(fit, config.folder)}.{_NO_LOGGER}"}
        looked_at = fit["trainer"] | {"logger": logger, "num_sanity_val_steps": 0}
        without = {**fit, "trainer": looked_at}
        cli = instantiate(config, without, opened(config), quiet_in(folder))
        early, shared = early_stoppers(cli.trainer), list(one_folder(cli.trainer))
        _check_callbacks(cli.trainer)
        check_no_average(cli.trainer, "the search of a study's first trial")
        _check_space(cli, config)
        with parsing():
            check_loggers(cli, parsed(fit, config.seed))
        _check_kept(cli, tune)
        tried = _Tried(list(_rules(config.space)), holding)
        rates = rate_callbacks(candidate, tune, config.space)
        ours: list[Callback] = [look, tried, *rates, watch]
        cli.trainer.callbacks[:0] = ours  # type: ignore[attr-defined]
        check_devices(cli, config.fit)
        own = differences(cli, config.fit)
        with contextlib.suppress(_LookedAt), no_exit():
            prepare(cli)
            cli.trainer.fit(cli.model, datamodule=cli.datamodule)
    if look.total_steps == 0:  # Lightning ends such a fit before its first hook
        raise ConfigError(
            "a run makes no optimizer step: trainer.max_epochs or max_steps is 0, or the training "
            "data has no batch (a batch_size above its length with drop_last: true)"
        )
    early_ends = _warnings(early, look.total_steps, tune.pruner.name)
    warnings = [*own, *early_ends, *shared, *look.unlogged, *_lost(look, tune)]
    warnings += _own_rates(config.space)
    return Checkup(look.total_steps, tuple(warnings), True, look.memory, True, look.optimizer)


def _lost(look: "_Look", tune: TuneConfig) -> Iterator[str]:
    """Yield a line for what a trial that is promoted begins anew."""
    if look.unkept and tune.pruner.pause:
        yield (
            f"no checkpoint holds {', '.join(look.unkept)}: a trial that is promoted begins it "
            "anew; keep what it has in numbers, lists or tensors, or write "
            "tune.pruner: {name: hyperband, pause: false}"
        )
    if look.in_workers and tune.pruner.pause:
        yield (
            f"no checkpoint holds {', '.join(look.in_workers)}, which persistent workers change in "
            "copies of their own: a trial that is promoted begins it anew; write "
            "persistent_workers=False, or tune.pruner: {name: hyperband, pause: false}"
        )


def _own_rates(space: Space) -> Iterator[str]:
    """Yield a line for a rate of the module's that is searched, and that the study overrides."""
    for name in space.paths:
        if name.rpartition(".")[2] in _RATES:
            yield (
                f"the space has {name}, and the study sets the rate of its trials itself: search "
                "the peak as lr: {low: ..., high: ..., log: true} in its place"
            )


def _warnings(early_stoppers: Sequence[str], steps: int, pruner: str) -> Iterator[str]:
    if early_stoppers:
        instead = "" if pruner == "none" else f": {pruner} stops bad trials"
        yield (
            f"{' and '.join(early_stoppers)} may end trials before their {counted(steps, 'step')}; "
            f"those are not annealed and not compared with whole ones, so leave it out{instead}"
        )


class _NoReports:
    """A trial that is never pruned."""

    def report(self, value: float, step: int) -> None:
        """Forget the value."""

    def should_prune(self) -> bool:
        """Go on."""
        return False


class _LookedAt(BaseException):
    """Leaves a fit before its first step; no Exception, so that user code does not catch it."""


class _Look(Callback):
    """Notes how long the run is, what it holds and no checkpoint does; leaves before a step."""

    total_steps = 0
    optimizer: str | None = None
    unkept: Sequence[str] = ()
    in_workers: Sequence[str] = ()
    unlogged: Sequence[str] = ()
    memory: RunBytes | None = None

    def __init__(self, holding: Holding, shaping: Sequence[str], watch: PruneTrial) -> None:
        self._holding = holding
        self._shaping = shaping
        self._watch = watch

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        check_optimizer(trainer, "autolr tune")
        check_space_shapes(trainer, self._shaping)
        self.optimizer = name_of(JointOptimizer.of(trainer.optimizers))
        count = StepCount(trainer)
        self.total_steps = RunLength(trainer, "autolr tune", count).steps
        count.close()

    @override
    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.unlogged = tuple(unlogged(trainer, self._watch.logged))
        self.unkept = unkept(pl_module, stateful_parts(trainer))
        fit: Any = trainer.fit_loop
        self.in_workers = changed_in_workers(fit._combined_loader.flattened)
        self.memory = self._holding.measured(trainer, pl_module, self.total_steps)
        raise _LookedAt  # the other callbacks have had their look too


class _Tried(Callback):
    """Applies rules, each to the module's own optimizer, and leaves that in place."""

    def __init__(self, rules: Sequence[ApplyRule], holding: Holding) -> None:
        self._rules = rules
        self._holding = holding

    @override
    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        for rule in self._rules:
            own = list(trainer.optimizers)
            rule.on_fit_start(trainer, pl_module)
            self._holding.see(trainer.optimizers)
            trainer.strategy.optimizers = own


def _rules(space: Space) -> Iterator[ApplyRule]:
    """Yield what applies each rule of the space, with each of its settings."""
    chosen = {(corner.rule, repr(corner.rule_settings)): corner for corner in corners(space)}
    for corner in chosen.values():
        if not corner.is_own:
            yield ApplyRule(corner.rule, dict(corner.rule_settings))


def _check_kept(cli: "LightningCLI", tune: TuneConfig) -> None:
    """Refuse hyper-parameters that a checkpoint would hold and that are not loaded again."""
    with allowing(tune.safe_globals):
        for part in (cli.model, cli.datamodule):
            if tune.pruner.pause and part is not None:
                what = f"what {type(part).__name__} saves as hyper-parameters"
                check_kept(dict(part.hparams), what)


def _check_callbacks(trainer: Trainer) -> None:
    """Refuse a callback of the config that sets the rate, as the study does in every trial."""
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if isinstance(callback, AutoLR | FollowCandidate):
            raise ConfigError(
                f"trainer.callbacks has {type(callback).__name__}, and the study sets the rate of "
                "its trials itself: leave it out"
            )


def _check_space(cli: "LightningCLI", config: Config) -> None:
    """Refuse a space that sets what the classes do not take, before a trial finds out."""
    for candidate in corners(config.space):
        if candidate.settings:
            fit = trial_config(config.fit, candidate)
            with parsing(config.space.paths):
                fit_parser(cli).parse_object(parsed(fit, config.seed))

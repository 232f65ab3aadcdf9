"""Everything that can be known of a run before it trains."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from typing_extensions import override

from autolr.callbacks import ApplyRule, AutoLR, FollowCandidate, PruneTrial
from autolr.callbacks.early_end import early_stoppers
from autolr.callbacks.namespaces import Callback, LightningModule, Trainer
from autolr.callbacks.requirements import check_rates
from autolr.callbacks.run_length import total_steps
from autolr.candidate import Candidate, candidate_of
from autolr.config import Config, TuneConfig, set_dotted
from autolr.domains import Choice, Value
from autolr.errors import ConfigError
from autolr.objective.blame import no_exit
from autolr.objective.lightning_cli import (
    instantiate,
    parsing,
    quiet_lightning,
    trial_config,
    users_code,
)
from autolr.objective.run import rate_callbacks
from autolr.objective.users_namespace import namespace
from autolr.runtime.loading import allowing
from autolr.runtime.loading_checks import check_kept
from autolr.space import Space

if TYPE_CHECKING:
    from autolr.callbacks.namespaces import LightningCLI

_NO_LOGGER = "loggers.logger.DummyLogger"  # False upsets monitors


class Checkup(NamedTuple):
    """What is known of a run before it trains: its optimizer steps, and lines of warning."""

    run_steps: int
    warnings: tuple[str, ...]


def check_run(config: Config, folder: Path) -> Checkup:
    """Set a run up to its first training step, and return what is known of it then.

    Everything that can be known before training is checked: the classes, their arguments, those
    that the space sets too, the data, the optimizer, and whether validation logs the monitored
    metric. What the config leaves open and the space sets has its first value there.

    Raises:
        ConfigError: If the config cannot work.
        UserCodeError: If the model or the data raise.
    """
    candidate = Candidate(peak=1e-3)
    tune = config.tune
    look = _Look()
    with users_code(folder), quiet_lightning(config):
        fit = trial_config(_filled(config), candidate, folder)
        logger = {"class_path": f"{namespace(fit, config.folder)}.{_NO_LOGGER}"}
        fit["trainer"] |= {"logger": logger, "num_sanity_val_steps": 0}
        cli = instantiate(fit, config.folder, config.seed, _opened(config))
        early = early_stoppers(cli.trainer)
        _check_callbacks(cli.trainer)
        _check_space(cli, config, folder)
        _check_kept(cli, tune)
        watch = PruneTrial(_NoReports(), (), monitor=tune.monitor, mode=tune.mode)
        tried = _Tried(list(_rules(config.space)))
        ours: list[Callback] = [look, tried, *rate_callbacks(candidate, tune), watch]
        cli.trainer.callbacks[:0] = ours  # type: ignore[attr-defined]
        with contextlib.suppress(_LookedAt), no_exit():
            cli.trainer.fit(cli.model, datamodule=cli.datamodule)
    return Checkup(look.total_steps, tuple(_warnings(early, look.total_steps, tune.pruner.name)))


def _warnings(early_stoppers: Sequence[str], steps: int, pruner: str) -> Iterator[str]:
    if early_stoppers:
        instead = "" if pruner == "none" else f": {pruner} stops bad trials"
        yield (
            f"{' and '.join(early_stoppers)} may end trials before their {steps} steps; those are "
            f"not annealed and not compared with whole ones, so leave it out{instead}"
        )


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
        check_rates(trainer, pl_module, "autolr tune")
        self.total_steps = total_steps(trainer, "autolr tune")

    @override
    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        raise _LookedAt  # the other callbacks have had their look too


class _Tried(Callback):
    """Applies rules, each to the module's own optimizer, and leaves that in place."""

    def __init__(self, rules: Sequence[ApplyRule]) -> None:
        self._rules = rules

    @override
    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        for rule in self._rules:
            own = list(trainer.optimizers)
            rule.on_fit_start(trainer, pl_module)
            trainer.strategy.optimizers = own


class _Corner:
    """A trial with the values that are given, else with the first choice or the low end."""

    def __init__(self, given: Mapping[str, Value]) -> None:
        self._given = given

    def suggest_float(self, name: str, low: float, high: float, *, log: bool) -> float:
        """Return what is given, or the low end."""
        found: Any = self._given.get(name, low)
        return float(found)

    def suggest_int(self, name: str, low: int, high: int, *, log: bool) -> int:
        """Return what is given, or the low end."""
        found: Any = self._given.get(name, low)
        return int(found)

    def suggest_categorical(self, name: str, choices: Sequence[Value]) -> Value:
        """Return what is given, or the first choice."""
        return self._given.get(name, choices[0])


def _corners(space: Space) -> Iterator[Candidate]:
    """Yield candidates that show each choice of the space, and both ends of each range.

    The first one has the first value of each parameter.
    """
    for name, domain in space.parameters:
        ends = domain.options if isinstance(domain, Choice) else (domain.low, domain.high)
        for value in ends:
            yield candidate_of(space.suggest(_Corner({**_needed(space, name), name: value})))


def _needed(space: Space, name: str) -> dict[str, Value]:
    """Return values of other parameters under which a parameter exists."""
    found: dict[str, Value] = {}
    for parent, allowed in space.domains[name].when:
        found |= {**_needed(space, parent), parent: allowed[0]}
    return found


def _rules(space: Space) -> Iterator[ApplyRule]:
    """Yield what applies each rule of the space, with each of its settings."""
    chosen = {(found.rule, found.rule_settings): found for found in _corners(space)}
    for found in chosen.values():
        if not found.is_own:
            yield ApplyRule(found.rule, dict(found.rule_settings))


def _filled(config: Config) -> dict[str, Any]:
    """Return the fit part; what it leaves open and the space sets has its first value."""
    filled, opened = config.fit, _opened(config)
    for name, value in next(_corners(config.space)).settings:
        if name in opened:
            filled = set_dotted(filled, name, value)
    return filled


def _opened(config: Config) -> list[str]:
    """Return the settings that the config leaves open and the space sets.

    An error of the others is one of the config's own values, whatever the space makes of them.
    """
    names = [name for name, _ in next(_corners(config.space)).settings]
    return [name for name in names if not _has(config.fit, name)]


def _has(config: Mapping[str, Any], name: str) -> bool:
    inner: Any = config
    for key in name.split("."):
        if not isinstance(inner, Mapping) or key not in inner:
            return False
        inner = inner[key]
    return True


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


def _check_space(cli: "LightningCLI", config: Config, folder: Path) -> None:
    """Refuse a space that sets what the classes do not take, before a trial finds out."""
    for candidate in _corners(config.space):
        if candidate.settings:
            fit = trial_config(config.fit, candidate, folder)
            with parsing(config.space.paths):
                cli.parser.parse_object({**fit, "seed_everything": config.seed})

"""Everything that can be known of a run before it trains."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.cli import LightningCLI
from typing_extensions import override

from autolr.callbacks import ApplyRule, PruneTrial
from autolr.callbacks.requirements import check_rates, total_steps
from autolr.candidate import Candidate, candidate_of
from autolr.config import Config, set_dotted
from autolr.domains import Choice, Value
from autolr.objective.lightning_cli import (
    instantiate,
    parsing,
    quiet_lightning,
    trial_config,
    users_code,
)
from autolr.objective.run import rate_callbacks
from autolr.rules.fixed import OWN
from autolr.space import Space

_NO_LOGGER = {"class_path": "lightning.pytorch.loggers.logger.DummyLogger"}  # False upsets monitors


def check_run(config: Config, folder: Path) -> int:
    """Set a run up to its first training step, and return its optimizer steps.

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
    with users_code(folder), quiet_lightning():
        fit = trial_config(_filled(config), candidate, folder)
        fit["trainer"] |= {"logger": _NO_LOGGER, "num_sanity_val_steps": 0}
        cli = instantiate(fit, config.folder, config.seed, config.space.names)
        _check_space(cli, config, folder)
        watch = PruneTrial(_NoReports(), (), monitor=tune.monitor, mode=tune.mode)
        ours: list[Callback] = [
            look,
            *_rules(config.space),
            *rate_callbacks(candidate, tune),
            watch,
        ]
        cli.trainer.callbacks[:0] = ours  # type: ignore[attr-defined]
        with contextlib.suppress(_LookedAt):
            cli.trainer.fit(cli.model, datamodule=cli.datamodule)
    return look.total_steps


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


class _Corner:
    """A trial that takes the ``index``-th choice everywhere, and the low end of each range."""

    def __init__(self, index: int) -> None:
        self._index = index

    def suggest_float(self, name: str, low: float, high: float, *, log: bool) -> float:
        """Return the low end."""
        return low

    def suggest_int(self, name: str, low: int, high: int, *, log: bool) -> int:
        """Return the low end."""
        return low

    def suggest_categorical(self, name: str, choices: Sequence[Value]) -> Value:
        """Return a choice; of fewer ones the last."""
        return choices[min(self._index, len(choices) - 1)]


def _corners(space: Space) -> Iterator[Candidate]:
    """Yield candidates that show each choice of the space."""
    options = (len(d.options) for d in space.domains.values() if isinstance(d, Choice))
    for index in range(max(options, default=1)):
        yield candidate_of(space.suggest(_Corner(index)))


def _rules(space: Space) -> list[Callback]:
    """Return what applies each rule of the space, to find out whether it can be applied."""
    chosen = {candidate.rule: candidate for candidate in _corners(space)}
    others = {name: found for name, found in chosen.items() if name != OWN}
    return [ApplyRule(name, dict(found.rule_settings)) for name, found in others.items()]


def _filled(config: Config) -> dict[str, Any]:
    """Return the fit part; what it leaves open and the space sets has its first value."""
    filled = config.fit
    for name, value in next(_corners(config.space)).settings:
        if not _has(config.fit, name):
            filled = set_dotted(filled, name, value)
    return filled


def _has(config: Mapping[str, Any], name: str) -> bool:
    inner: Any = config
    for key in name.split("."):
        if not isinstance(inner, Mapping) or key not in inner:
            return False
        inner = inner[key]
    return True


def _check_space(cli: LightningCLI, config: Config, folder: Path) -> None:
    """Refuse a space that sets what the classes do not take, before a trial finds out."""
    for candidate in _corners(config.space):
        if candidate.settings:
            fit = trial_config(config.fit, candidate, folder)
            with parsing(config.space.names):
                cli.parser.parse_object({**fit, "seed_everything": config.seed})

"""Train with a rule for the size of each step."""

from collections.abc import Mapping
from typing import Any

from typing_extensions import override

from autolr import rules
from autolr.callbacks.namespaces import (
    DDPStrategy,
    LightningModule,
    SingleDeviceStrategy,
    Trainer,
    either,
)
from autolr.callbacks.requirements import check_no_scheduler, check_optimizer, check_replaceable
from autolr.callbacks.rule_checks import check_checkpoints, check_closures
from autolr.callbacks.rule_host import RuleHost
from autolr.errors import UnsupportedError


class ApplyRule(RuleHost):
    """Set the size of each step by a rule.

    The rule's optimizer replaces that of the module, with the same groups: their rates say how
    they relate, and the highest stands for the rule's peak. Their settings are kept as far as
    `autolr.rules.in_place_of` says. A `FollowCandidate` or `AutoLR` beside it sets peak and
    schedule. Without a name it supports the rule that the module itself has built.

    The callback passes to the rule what it cannot read by itself: the whole loss of accumulated
    gradients, and the loss where a grad scaler keeps the closure. Where a rule evaluates averaged
    weights, validation sees these, a checkpoint's ``state_dict`` holds them (the weights in
    training are beside it, for a fit that is resumed), and they are the module's when training
    ends; training never does. Statistics of batch norm stay those of the weights in training.

    Args:
        rule: The name of a rule, see `autolr.rules.names`; None for the module's own.
        settings: Of the rule, by name, for all groups; None for its defaults.

    Raises:
        ConfigError: If there is no such rule or a setting cannot work; before the first training
            step where only the optimizer can check it.
        UnsupportedError: Before the first training step, if the set-up is not supported.
    """

    def __init__(self, rule: str | None = None, settings: Mapping[str, Any] | None = None) -> None:
        self._rule = rule
        self._settings = {} if settings is None else dict(settings)
        if rule is not None:
            rules.check_settings(rule, self._settings)

    @override
    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        check_optimizer(trainer, "ApplyRule")
        if self._rule is not None:
            check_replaceable(trainer, pl_module, f"ApplyRule({self._rule!r})")
        if not isinstance(trainer.strategy, (*either(SingleDeviceStrategy), *either(DDPStrategy))):
            raise UnsupportedError(
                "ApplyRule supports one device and strategy='ddp', not "
                f"{type(trainer.strategy).__name__}"
            )
        if self._rule is not None:
            (own,) = trainer.optimizers
            replacement = rules.in_place_of(own, self._rule, **self._settings)
            if replacement is not own:
                check_no_scheduler(trainer, self._rule)
            trainer.strategy.optimizers = [replacement]
        stepping = self._rule_optimizer(trainer)
        if stepping is not None and stepping.searches:
            check_closures(trainer, "a line search")
        if stepping is not None and stepping.rule.averaging:
            check_checkpoints(trainer)

"""The optimizer of several rules in a Trainer."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from typing_extensions import override

from autolr import rules
from autolr.callbacks.namespaces import LightningModule, Trainer
from autolr.callbacks.requirements import check_optimizer, check_replaceable, check_schedule
from autolr.callbacks.rule_checks import check_checkpoints, check_closures
from autolr.callbacks.rule_host import RuleHost
from autolr.callbacks.swa import swa_of
from autolr.errors import ConfigError, UnsupportedError
from autolr.rules.fixed import OWN
from autolr.rules.optimizer import RuleOptimizer
from autolr.rules.switching import Switching

if TYPE_CHECKING:
    from autolr.online.settings import SearchSettings


class RuleRaceHost(RuleHost):
    """Replaces the module's optimizer by one of several rules, where rules are searched."""

    _switching = False

    def _race_rules(
        self, trainer: Trainer, module: LightningModule, settings: "SearchSettings"
    ) -> None:
        """Replace the optimizer; call it before a checkpoint is restored.

        Args:
            trainer: The trainer.
            module: Its module.
            settings: What the user has set.

        Raises:
            ConfigError: If a rule's setting cannot work, or an `ApplyRule` sets a rule too.
            UnsupportedError: If the set-up is not supported.
        """
        check_optimizer(trainer, "AutoLR")
        check_schedule(trainer, settings.schedule, settings.candidates)
        others = {name: given for name, given in settings.rules.items() if name != OWN}
        self._switching = bool(others)
        if others:
            check_replaceable(trainer, module, "AutoLR(candidates=...) with rules")
            self._check_alone(trainer)
            _check_needs(trainer, others)
            (own,) = trainer.optimizers
            trainer.strategy.optimizers = [Switching(own, others)]

    def _check_alone(self, trainer: Trainer) -> None:
        if swa_of(trainer) is not None:
            raise UnsupportedError(
                "AutoLR(candidates=...) names rules, for whose rates the swa_lrs of "
                "StochasticWeightAveraging are not meant: use WeightAveraging"
            )
        for callback in trainer.callbacks:  # type: ignore[attr-defined]
            if isinstance(callback, RuleHost) and callback is not self:
                raise ConfigError(
                    "AutoLR(candidates=...) names rules, and builds them itself: leave out "
                    f"{type(callback).__name__}"
                )

    @override
    def _rule_optimizer(self, trainer: Trainer) -> RuleOptimizer | None:
        return super()._rule_optimizer(trainer) if self._switching else None


def _check_needs(trainer: Trainer, names: Iterable[str]) -> None:
    records = [rules.record(name) for name in names]
    if any(record.averages for record in records):
        check_checkpoints(trainer)
    for record in records:
        if "closure" in record.needs:
            check_closures(trainer, record.name)

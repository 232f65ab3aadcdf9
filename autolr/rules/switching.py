"""Several optimizers over the same parameters, of which one steps."""

import copy
from collections.abc import Mapping
from typing import Any

from torch.optim import Optimizer
from typing_extensions import override

from autolr.errors import ConfigError
from autolr.rules.construct import replacement
from autolr.rules.fixed import OWN
from autolr.rules.optimizer import Closure, RuleOptimizer

STEPPED_BY = "autolr_rule"
"""The entry of a group that names the rule whose optimizer steps; only `Switching` has it."""


class Switching(Optimizer):
    """One of several optimizers over the same parameters; which one is a part of its state.

    Its groups are those of the optimizer that steps, rates included, and so is its state. Whoever
    exchanges or stores both, and every entry of the groups, has exchanged or stored the rule too.

    Args:
        own: The optimizer that there was; it steps first, as the rule "fixed".
        settings: Those of the other rules, by rule.

    Attributes:
        own: The optimizer that there was.
        bases: The highest rate of the groups, by rule: what a peak is measured by.

    Raises:
        ConfigError: If there is no such rule, or a setting cannot work.
    """

    def __init__(self, own: Optimizer, settings: Mapping[str, Mapping[str, Any]]) -> None:
        others = {name: replacement(own, name, given) for name, given in settings.items()}
        for name, held in others.items():
            if len(held.param_groups) != len(own.param_groups):
                raise ConfigError(
                    f"{name} splits a parameter group in two, which rules that race cannot: give "
                    "the optimizer its weight matrices and the rest as two groups"
                )
        self.own = own
        self._held = others | {OWN: own}
        self._fresh = {name: _entries(name, held) for name, held in self._held.items()}
        self.bases = {
            name: max(float(group["lr"]) for group in groups)
            for name, groups in self._fresh.items()
        }
        members = [group["params"] for group in own.param_groups]
        fresh = zip(members, self._fresh[OWN], strict=True)
        groups = [{"params": params, **copy.deepcopy(entries)} for params, entries in fresh]
        super().__init__(groups, dict(own.defaults))
        self.state = own.state

    @property
    def rule(self) -> str:
        """The rule whose optimizer steps."""
        found: str = self.param_groups[0][STEPPED_BY]
        return found

    @property
    def active(self) -> Optimizer:
        """The optimizer that steps, over the present groups and state."""
        found = self._held[self.rule]
        found.param_groups, found.state = self.param_groups, self.state
        return found

    def begin(self, rule: str) -> None:
        """Have another optimizer step from here on, as if it had just been made."""
        self.state.clear()
        for group, entries in zip(self.param_groups, self._fresh[rule], strict=True):
            params = group["params"]
            group.clear()
            group |= {"params": params, **copy.deepcopy(entries)}

    def settle(self) -> Optimizer:
        """Return the optimizer that steps, for use by itself."""
        found = self.active
        for group in found.param_groups:
            del group[STEPPED_BY]
        return found

    @override
    def step(self, closure: Closure | None = None) -> Any:
        """Make a step of the present rule."""
        return self.active.step(closure)

    @override
    def state_dict(self) -> dict[str, Any]:
        """Return the state of the optimizer that steps, and its name in each group."""
        return self.active.state_dict()

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take on what `state_dict` returned, the rule included.

        Raises:
            ConfigError: If it is of a rule that is not among these.
        """
        rule = state_dict["param_groups"][0].get(STEPPED_BY, OWN)
        if rule not in self._held:
            known = ", ".join(sorted(self._held))
            raise ConfigError.of("the rule of a stored optimizer", rule, f"one of: {known}")
        self.begin(rule)
        active = self.active
        active.load_state_dict(state_dict)
        self.param_groups, self.state = active.param_groups, active.state

    @override
    def __getstate__(self) -> dict[str, Any]:
        own = {"own": self.own, "_held": self._held, "_fresh": self._fresh, "bases": self.bases}
        return {**super().__getstate__(), **own}


def begin_rule(optimizer: Optimizer, rule: str) -> None:
    """Have an optimizer that switches step by a rule, afresh where it did by another one."""
    if isinstance(optimizer, Switching) and optimizer.rule != rule:
        optimizer.begin(rule)


def rule_optimizer_of(optimizer: Optimizer) -> RuleOptimizer | None:
    """Return what carries a rule out: the optimizer, or the one that steps in its place."""
    found = optimizer.active if isinstance(optimizer, Switching) else optimizer
    return found if isinstance(found, RuleOptimizer) else None


def _entries(rule: str, optimizer: Optimizer) -> list[dict[str, Any]]:
    """Return what the groups of an optimizer hold, but for their parameters."""
    return [
        {name: value for name, value in group.items() if name != "params"} | {STEPPED_BY: rule}
        for group in optimizer.param_groups
    ]

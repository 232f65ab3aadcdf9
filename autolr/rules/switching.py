"""Several optimizers over the same parameters; one of them steps."""

import copy
from collections.abc import Mapping
from typing import Any

from torch.optim import Optimizer
from typing_extensions import override

from autolr.errors import ConfigError
from autolr.rules.construct import replacement
from autolr.rules.fixed import OWN
from autolr.rules.group_keys import STEPPED_BY
from autolr.rules.optimizer import Closure, RuleOptimizer

_OF_FIRST_GROUP = frozenset({"steps", "memory", "loss"})  # where a `RuleOptimizer` keeps them


class Switching(Optimizer):
    """Several optimizers over the same parameters, one of which is active.

    ``param_groups`` and ``state`` are those of the active optimizer, and the groups name its rule:
    code that exchanges or stores groups and state exchanges or stores the rule too.

    Args:
        own: The module's optimizer; it is active first, as the rule "fixed".
        settings: Of the other rules, by the name of the rule.

    Attributes:
        own: The module's optimizer.
        bases: The highest rate of the groups, by rule; peaks are relative to it.

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
        """The name of the active rule."""
        rule: str = self.param_groups[0][STEPPED_BY]
        return rule

    @property
    def active(self) -> Optimizer:
        """The active optimizer, over the present groups and state."""
        optimizer = self._held[self.rule]
        optimizer.param_groups, optimizer.state = self.param_groups, self.state
        return optimizer

    @override
    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group to each of the optimizers; its rate is that under the active one."""
        super().add_param_group(param_group)
        if len(self.param_groups) <= len(self._fresh[OWN]):  # this one is being made
            return
        added, active = self.param_groups[-1], self.rule
        given = {name: value for name, value in added.items() if name != "params"}
        own = self._fresh[OWN][0]
        for rule, groups in self._fresh.items():
            first = {name: held for name, held in groups[0].items() if name not in _OF_FIRST_GROUP}
            carried = {name for name in first if name in given and first[name] == own.get(name)}
            entries = given if rule == OWN else first | {name: given[name] for name in carried}
            rate = float(added["lr"]) * self.bases[rule] / self.bases[active]
            groups.append({**copy.deepcopy(entries), "lr": rate, STEPPED_BY: rule})
        added |= self.fresh(active, -1)

    def fresh(self, rule: str, index: int) -> dict[str, Any]:
        """Return the entries of a group before the first step of a rule, without parameters.

        Args:
            rule: The name of the rule.
            index: The number of the group.
        """
        return copy.deepcopy(self._fresh[rule][index])

    def begin(self, rule: str) -> None:
        """Make the optimizer of another rule active, with a new state."""
        self.state.clear()
        for group, entries in zip(self.param_groups, self._fresh[rule], strict=True):
            params = group["params"]
            group.clear()
            group |= {"params": params, **copy.deepcopy(entries)}

    def settle(self) -> Optimizer:
        """Return the active optimizer, for use without this one."""
        optimizer = self.active
        for group in optimizer.param_groups:
            del group[STEPPED_BY]
        return optimizer

    @override
    def step(self, closure: Closure | None = None) -> Any:
        """Make a step of the active rule."""
        return self.active.step(closure)

    @override
    def state_dict(self) -> dict[str, Any]:
        """Return the state of the active optimizer; each group names the rule."""
        state = self.active.state_dict()
        for hook in self._optimizer_state_dict_post_hooks.values():
            state = hook(self, state) or state
        return state

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load what `state_dict` returned, and activate its rule.

        Raises:
            ConfigError: If its rule is not one of these.
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
    """Activate a rule of a `Switching` optimizer, with a new state, unless it is active.

    Args:
        optimizer: One of another class stays as it is.
        rule: The name of the rule.
    """
    if isinstance(optimizer, Switching) and optimizer.rule != rule:
        optimizer.begin(rule)


def rule_optimizer_of(optimizer: Optimizer) -> RuleOptimizer | None:
    """Return the `RuleOptimizer` that steps; None if another kind does."""
    active = optimizer.active if isinstance(optimizer, Switching) else optimizer
    return active if isinstance(active, RuleOptimizer) else None


def _entries(rule: str, optimizer: Optimizer) -> list[dict[str, Any]]:
    """Return the entries of an optimizer's groups, without their parameters."""
    return [
        {name: value for name, value in group.items() if name != "params"} | {STEPPED_BY: rule}
        for group in optimizer.param_groups
    ]

"""From the name of a rule to a torch optimizer."""

import importlib
import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any

from torch.optim import SGD, Optimizer
from torch.optim.optimizer import ParamsT

from autolr.errors import ConfigError
from autolr.extras import install_command
from autolr.predicates import is_number
from autolr.rules.carrying import carried, in_common
from autolr.rules.catalogue import Record, make, record
from autolr.rules.fixed import OWN
from autolr.rules.optimizer import RuleOptimizer

Base = Callable[[ParamsT], Optimizer]


def build_optimizer(
    name: str, params: ParamsT, peak: float | None, base: Base | None, settings: Mapping[str, Any]
) -> Optimizer:
    """Return the optimizer of a rule; see `autolr.rules.build`.

    Args:
        name: Of the rule.
        params: Parameters or groups, as any torch optimizer takes them.
        peak: The largest rate; None: the customary one of the rule.
        base: Builds the optimizer whose directions the rule follows; None: the rule has its own.
        settings: Of the rule; those left out keep their defaults.
    """
    entry = record(name)
    rate = entry.peak.default if peak is None else _checked(peak)
    if entry.rule is None:
        return _native(entry, params, rate, base, settings)
    rule, decay = make(name, settings)
    if base is not None and "weight_decay" in settings:
        base = _decaying(name, base, decay)
    if name != OWN:
        return RuleOptimizer(params, rule, rate, base=base, weight_decay=decay)
    if base is None:
        return SGD(params, lr=rate, weight_decay=decay)
    return base([{"lr": rate, **group} for group in _as_groups(params)])


def replacement(own: Optimizer, name: str, settings: Mapping[str, Any]) -> Optimizer:
    """Return the optimizer of a rule, for the groups of another; see `rules.in_place_of`.

    Args:
        own: The optimizer to replace; it keeps its state only with the rule "fixed".
        name: Of the rule.
        settings: Of the rule; they replace those of all groups.
    """
    if name == OWN:
        return _kept(own, settings)
    entry = record(name)
    rates = [float(group.get("initial_lr", group["lr"])) for group in own.param_groups]
    if not (math.isfinite(highest := max(rates)) and highest > 0):
        raise ConfigError.of("the optimizer's lr", highest, "a positive number")
    takes = {"weight_decay": 0.0} if entry.rule is not None else _takes(_class_of(entry))
    kept = carried(own, name, takes)
    common, apart = in_common([{k: v for k, v in one.items() if k not in settings} for one in kept])
    groups = [
        {"params": group["params"], "lr": entry.peak.default * rate / highest, **one}
        for group, rate, one in zip(own.param_groups, rates, apart, strict=True)
    ]
    optimizer = build_optimizer(name, groups, None, None, {**common, **settings})
    for key in {key for one in apart for key in one}:
        if key not in optimizer.defaults:
            raise ConfigError(
                f"{name} has one {key} for all groups, got several: set {key} of the rule"
            )
    return optimizer


def _kept(own: Optimizer, settings: Mapping[str, Any]) -> Optimizer:
    """Return the optimizer itself, with the settings of the rule "fixed"."""
    _, decay = make(OWN, settings)
    if "weight_decay" in settings:
        _check_decays(type(own).__name__, own)
        for group in (own.defaults, *own.param_groups):
            group["weight_decay"] = decay
    return own


def _decaying(name: str, base: Base, decay: float) -> Base:
    """Return a base with a default weight decay for its groups."""

    def build(params: ParamsT) -> Optimizer:
        made = base([{"weight_decay": decay, **group} for group in _as_groups(params)])
        _check_decays(f"the base of {name}", made)
        made.defaults["weight_decay"] = decay  # of groups that are added later
        return made

    return build


def _check_decays(whose: str, optimizer: Optimizer) -> None:
    if "weight_decay" not in optimizer.defaults:
        raise ConfigError(f"weight_decay: {whose} has none; leave it out")


def _as_groups(params: ParamsT) -> list[dict[str, Any]]:
    members: list[Any] = list(params)
    return members if members and isinstance(members[0], dict) else [{"params": members}]


def _native(
    entry: Record, params: ParamsT, rate: float, base: Base | None, settings: Mapping[str, Any]
) -> Optimizer:
    if base is not None:
        raise ConfigError(f"{entry.name} makes steps of its own: base must be left out")
    made = _class_of(entry)
    takes = _takes(made)
    for setting in settings:
        if setting not in takes:
            known = ", ".join(takes)
            raise ConfigError(f"{entry.name} has no setting {setting!r}; it takes: {known}")
    try:
        optimizer: Optimizer = made(params, lr=rate, **{**entry.settings, **settings})
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{entry.name}: {' '.join(str(error).split())}") from error
    rates = {float(group["lr"]) for group in optimizer.param_groups}
    if entry.one_rate and len(rates if entry.moves_all else rates - {0.0}) > 1:
        zero = "" if entry.moves_all else " (or 0)"
        expected = f"the same rate in all groups{zero}, which {entry.name} has to have"
        raise ConfigError.of("lr", sorted(rates), expected)
    return optimizer


def _class_of(entry: Record) -> type[Any]:
    module, _, name = entry.optimizer.partition(":")
    try:
        made: type[Any] = getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        install = install_command(entry.package)
        raise ConfigError(f"{entry.name} needs {entry.package}: {install}") from None
    return made


def _takes(made: type[Any]) -> dict[str, Any]:
    """Return the settings of an optimizer, and their defaults."""
    named = inspect.signature(made).parameters
    return {name: one.default for name, one in named.items() if _is_named(one)}


def _is_named(parameter: inspect.Parameter) -> bool:
    many = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    return not many and parameter.name not in ("params", "lr")


def _checked(peak: object) -> float:
    if not (is_number(peak) and 0 < peak < math.inf):
        raise ConfigError.of("peak", peak, "a finite number above 0")
    return float(peak)

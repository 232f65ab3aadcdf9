"""The settings that a rule's optimizer keeps of the optimizer that it replaces."""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor
from torch.optim import Optimizer

from autolr.errors import ConfigError

_ALWAYS = "weight_decay"  # belongs to the problem, so the optimizer's default is kept too
_UNKNOWN = object()


def carried(own: Optimizer, name: str, takes: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return, for each group of an optimizer, the settings that a rule's optimizer keeps.

    These are the weight decay, and each setting whose value differs from the default of the class
    in at least one group; it is then kept in all groups, also if it is 0 or false. A value of
    another form (three betas for two) is another setting.

    Args:
        own: The optimizer.
        name: Of the rule.
        takes: The settings of the rule's optimizer, and their defaults.

    Raises:
        ConfigError: If the optimizer maximizes, and the rule's can only minimize.
    """
    groups, defaults = own.param_groups, {**own.defaults, **_class_defaults(own)}
    if "maximize" not in takes and any(group.get("maximize") is True for group in groups):
        raise ConfigError(
            f"{name} minimizes, and {type(own).__name__} has maximize=True: negate "
            "the loss and leave maximize out"
        )
    given = [key for key in takes if any(_is_given(key, group, defaults) for group in groups)]
    return [
        {key: group[key] for key in given if key in group and _is_alike(group[key], takes[key])}
        for group in groups
    ]


def in_common(groups: Sequence[dict[str, Any]]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Split the settings of groups into those that are equal in all groups and the rest.

    >>> in_common([{"eps": 1e-6, "weight_decay": 0.1}, {"eps": 1e-6, "weight_decay": 0.0}])
    ({'eps': 1e-06}, [{'weight_decay': 0.1}, {'weight_decay': 0.0}])
    """
    first, *others = groups
    common = {
        key: value
        for key, value in first.items()
        if all(_same(value, other.get(key, _UNKNOWN)) for other in others)
    }
    apart = [{k: v for k, v in one.items() if k not in common} for one in groups]
    return common, apart


def _is_given(key: str, group: Mapping[str, Any], defaults: Mapping[str, Any]) -> bool:
    return key in group and (key == _ALWAYS or not _same(group[key], defaults.get(key, _UNKNOWN)))


def _class_defaults(own: Optimizer) -> dict[str, Any]:
    parameters = inspect.signature(type(own)).parameters
    return {
        name: parameter.default
        for name, parameter in parameters.items()
        if parameter.default is not parameter.empty
    }


def _same(left: Any, right: Any) -> bool:
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        return len(left) == len(right) and all(map(_same, left, right))
    return left is right or bool(left == right)


def _is_alike(value: Any, default: Any) -> bool:
    """Return whether a value has the form of a default; any form fits None."""
    return default is None or _form(value) == _form(default)


def _form(value: Any) -> object:
    if isinstance(value, list | tuple):
        return tuple(map(_form, value))
    number = isinstance(value, int | float | Tensor) and not isinstance(value, bool)
    return float if number else type(value)

"""muP: reuse the best peak of a narrow model for a wide one."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, Protocol, TypeAlias

from autolr.errors import ConfigError, UnsupportedError
from autolr.settings import NotNegative, Positive, check_of, read_number

Kind: TypeAlias = Literal["adam", "sgd"]
Shapes: TypeAlias = Mapping[str, Sequence[int]]


class Module(Protocol):
    """The part of `torch.nn.Module` that is used here."""

    def named_parameters(self) -> Iterator[tuple[str, Any]]:
        """Return names and tensors."""


def mup_groups(
    model: Module,
    base: Module | Shapes,
    kind: Kind,
    rate: float,
    weight_decay: float | None = None,
) -> list[dict[str, Any]]:
    """Return a model's parameters in groups, each with the rate for its widths.

    Pass the groups to any optimizer: tuning and scheduling keep the ratios between their rates. A
    dimension counts as width if the two models differ in it, and its multiplier m is the ratio.

    | | Adam and its kin | SGD |
    |---|---|---|
    | no width (constants) | 1 | 1 |
    | one (biases, norms, embeddings, readout) | 1 | m |
    | two (hidden matrices) | 1 / m of the fan-in | m of the fan-out / m of the fan-in |

    These are the factors of the rates. muP also wants an initialization of its own and the inputs
    of a readout divided by their m, which `mup_initialize` sees to: without them the best peak
    moves with the width all the same.

    Args:
        model: The wide model.
        base: The narrow model that the rate was tuned for, or its shapes by the names of the
            parameters. It may be on the device "meta".
        kind: Whether the optimizer normalizes the gradient element by element ("adam").
        rate: Of the base.
        weight_decay: Of the base. It is divided by a group's factor, so that rate x decay is the
            same in all groups. None leaves it to the optimizer.

    Raises:
        ConfigError: If the models do not have the same parameters, one is none, ``rate`` is not
            above 0, or ``weight_decay`` is below it.
        UnsupportedError: If a parameter has more than two widths.

    Source: Yang et al. 2022, arXiv:2203.03466, as in their package mup 1.0.0.

    >>> from torch import nn
    >>> def net(width):
    ...     return nn.Sequential(nn.Linear(3, width), nn.Linear(width, width))
    >>> for group in mup_groups(net(32), net(8), "adam", rate=0.1):
    ...     print(group["lr"], [tuple(weight.shape) for weight in group["params"]])
    0.1 [(32, 3), (32,), (32,)]
    0.025 [(32, 32)]
    """
    rate = read_number("rate", check_of(Positive), rate)
    if weight_decay is not None:
        weight_decay = read_number("weight_decay", check_of(NotNegative), weight_decay)
    if not hasattr(model, "named_parameters"):
        raise ConfigError.of("model", model, "a module of torch")
    parameters = dict(model.named_parameters())
    shapes = {name: tuple(parameter.shape) for name, parameter in parameters.items()}
    groups: dict[float, dict[str, Any]] = {}
    for name, factor in width_factors(shapes, _shapes(base), kind).items():
        if factor not in groups:
            groups[factor] = {"params": [], "lr": rate * factor}
            if weight_decay is not None:
                groups[factor]["weight_decay"] = weight_decay / factor
        groups[factor]["params"].append(parameters[name])
    return list(groups.values())


def width_factors(shapes: Shapes, base: Shapes, kind: Kind) -> dict[str, float]:
    """Return the factor of the rate of each parameter, as `mup_groups` uses it.

    Args:
        shapes: Of the wide model, by the names of its parameters.
        base: Of the base, likewise.
        kind: As in `mup_groups`.
    """
    if kind not in ("adam", "sgd"):
        raise ConfigError.of("kind", kind, "'adam' or 'sgd'")
    return {name: _factor(ratios, kind) for name, ratios in width_ratios(shapes, base).items()}


def width_ratios(shapes: Shapes, base: Shapes) -> dict[str, list[float]]:
    """Return how many times as large as in the base each dimension is: not 1 in two at most.

    Args:
        shapes: Of the wide model, by the names of its parameters.
        base: Of the base, likewise.
    """
    for name in sorted(shapes.keys() ^ base.keys()):
        raise ConfigError(f"only one of model and base has the parameter {name!r}")
    return {name: _ratios(name, shapes[name], base[name]) for name in shapes}


def _ratios(name: str, shape: Sequence[int], base: Sequence[int]) -> list[float]:
    if len(shape) != len(base) or 0 in base:
        expected = f"of {len(shape)} dimensions as in the model, each at least 1"
        raise ConfigError.of(f"{name!r} of the base", tuple(base), expected)
    ratios = [wide / narrow for wide, narrow in zip(shape, base, strict=True)]
    if (count := sum(ratio != 1 for ratio in ratios)) > 2:
        raise UnsupportedError(f"{name!r} has more than two widths: {count}")
    return ratios


def _factor(ratios: Sequence[float], kind: Kind) -> float:
    widths = [ratio for ratio in ratios if ratio != 1]
    if len(widths) == 2:
        return 1 / widths[-1] if kind == "adam" else ratios[0] / ratios[1]
    return math.prod(widths) if kind == "sgd" else 1.0


def _shapes(base: Module | Shapes) -> Shapes:
    if isinstance(base, Mapping):
        return base
    if not hasattr(base, "named_parameters"):
        raise ConfigError.of("base", base, "a module of torch, or its shapes by name")
    return {name: tuple(parameter.shape) for name, parameter in base.named_parameters()}

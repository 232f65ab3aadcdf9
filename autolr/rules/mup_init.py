"""muP: the initialization and the readout of a wide model."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from autolr.errors import ConfigError
from autolr.rules.mup import width_ratios

_SAME = 0.01  # relative: what is scaled by less is not told


@dataclass(frozen=True, slots=True)
class _Divided:
    """Divides the inputs of a readout: a hook before its forward pass.

    Attributes:
        by: How many times as wide as in the base the readout's inputs are.
    """

    by: float

    def __call__(self, module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        return inputs[0] / self.by, *inputs[1:]


def initialize(model: nn.Module, base: nn.Module) -> tuple[str, ...]:
    """Change a model to what muP wants; see `autolr.rules.mup_initialize`.

    Args:
        model: The wide model.
        base: The narrow one.

    Raises:
        ConfigError: See there.
    """
    for name, each in (("model", model), ("base", base)):
        if not isinstance(each, nn.Module):
            raise ConfigError.of(name, each, "a module of torch")
    if any(parameter.is_meta for parameter in base.parameters()):
        raise ConfigError('base must have its weights, got a model on the device "meta"')
    if any(isinstance(hook, _Divided) for hook in _hooks(model)):
        raise ConfigError("model must be as it was made: mup_initialize has changed it before")
    own, of_base = (dict(one.named_parameters(remove_duplicate=False)) for one in (model, base))
    own_shapes, base_shapes = (
        {name: tuple(each.shape) for name, each in one.items()} for one in (own, of_base)
    )
    ratios = width_ratios(own_shapes, base_shapes)
    readouts = dict(_readouts(model, ratios))
    lines = []
    with torch.no_grad():
        for name, parameter in own.items():  # tied ones twice, the second time by 1
            widths = [ratio for ratio in ratios[name] if ratio != 1]
            if widths or name.rpartition(".")[0] in readouts:
                fan_in = widths[-1] if len(widths) == 2 else 1.0
                factor = _scaled(parameter, of_base[name], 1 / math.sqrt(fan_in))
                lines += [f"{name}: x {factor:.3g}"] if abs(factor - 1) > _SAME else []
    for name, by in readouts.items():
        model.get_submodule(name).register_forward_pre_hook(_Divided(by))
        lines.append(f"{name}: its inputs are divided by {by:g}")
    return tuple(lines)


def _hooks(model: nn.Module) -> Iterator[object]:
    for module in model.modules():
        yield from module._forward_pre_hooks.values()


def _readouts(model: nn.Module, ratios: dict[str, list[float]]) -> Iterator[tuple[str, float]]:
    """Yield the modules whose inputs have a width and whose outputs have none, with the m of it."""
    for name, module in model.named_modules():
        of_weight = ratios.get(f"{name}.weight" if name else "weight", [])
        is_readout = len(of_weight) > 1 and of_weight[0] == 1 and of_weight[1] != 1
        if is_readout and not isinstance(module, nn.Embedding | nn.EmbeddingBag):
            yield name, of_weight[1]


def _scaled(parameter: Tensor, of_base: Tensor, share: float) -> float:
    """Scale a parameter to a share of the base's standard deviation; return by what."""
    if min(parameter.numel(), of_base.numel()) < 2:
        return 1.0
    now, wanted = float(parameter.std()), share * float(of_base.std())
    if not (now > 0 and wanted > 0):
        return 1.0
    parameter.mul_(wanted / now)
    return wanted / now

"""What lies under the wrappers of torch, Fabric and Accelerate."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn
from torch.nn.parallel import DataParallel, DistributedDataParallel
from torch.optim import Optimizer

from autolr.errors import ConfigError, UnsupportedError
from autolr.runtime.joint_optimizer import JointOptimizer
from autolr.runtime.stateful import Stateful
from autolr.runtime.structure import parameters_of

_PACKAGES = frozenset({"accelerate", "lightning", "lightning_fabric"})
_COMPILED = "_orig_mod"  # where torch.compile keeps the module
_SHARDED = ("FullyShardedDataParallel", "FSDPModule", "DeepSpeedEngine")


@dataclass(frozen=True, slots=True)
class Wrapped:
    """A model and an optimizer as the user has them, and what lies under their wrappers.

    Attributes:
        given_model: The model as the user calls it.
        given_optimizer: The optimizer as the user steps it; several are seen as one.
        model: The model itself, whose state is trained.
        optimizer: The optimizer itself, whose groups have the rates; likewise.
        ddp: The `DistributedDataParallel` around the model, if there is one.
        scalers: The gradient scalers of the optimizer's wrapper.
        needs_backward: Whether that wrapper scales the loss in a backward pass of its own.
        by_accelerate: Whether that wrapper is Accelerate's, which zeroes gradients after a step.
    """

    given_model: nn.Module
    given_optimizer: Optimizer
    model: nn.Module
    optimizer: Optimizer
    ddp: DistributedDataParallel | None
    scalers: tuple[Stateful, ...]
    needs_backward: bool
    by_accelerate: bool

    @classmethod
    def of(cls, model: object, optimizer: object) -> "Wrapped":
        """Unwrap both.

        Args:
            model: The model, which the user may have wrapped.
            optimizer: Its optimizer, likewise, or a list of them.

        Raises:
            ConfigError: If one is not what it is called, or the optimizer has none of the model's
                parameters.
            UnsupportedError: If the model is sharded.
        """
        if not isinstance(model, nn.Module):
            raise ConfigError.of("model", type(model).__name__, "a torch.nn.Module")
        given = _optimizers(optimizer)
        layers = list(_layers(model))
        pairs = [_unwrapped(one) for one in given]
        own = JointOptimizer.of([part for part, _ in pairs])
        scalers = {id(scaler): scaler for _, scaler in pairs if scaler is not None}
        _check(layers, own)
        return cls(
            model,
            JointOptimizer.of(given),
            layers[-1],
            own,
            next((one for one in layers if isinstance(one, DistributedDataParallel)), None),
            tuple(scalers.values()),
            bool(scalers) or any(map(_accumulates, given)),
            any(hasattr(one, "gradient_state") for one in given),
        )


def _optimizers(given: object) -> Sequence[Optimizer]:
    """Return one optimizer or a list of them as a list, checked."""
    parts = given if isinstance(given, list | tuple) else [given]
    if not parts:
        raise ConfigError.of("optimizer", given, "a torch.optim.Optimizer, or a list of them")
    optimizers: list[Optimizer] = []
    for part in parts:
        if not isinstance(part, Optimizer):
            expected = "a torch.optim.Optimizer, or a list of them"
            raise ConfigError.of("optimizer", type(part).__name__, expected)
        optimizers.append(part)
    return optimizers


def _layers(model: nn.Module) -> list[nn.Module]:
    """Return a model, and what it wraps, from the outermost on."""
    layers = [model]
    while (inner := _inner(layers[-1])) is not None:
        layers.append(inner)
    return layers


def _inner(model: nn.Module) -> nn.Module | None:
    wraps = isinstance(model, DataParallel | DistributedDataParallel) or _is_of_packages(model)
    if not wraps and _COMPILED not in model._modules:
        return None
    inner = [model._modules.get(name) for name in (_COMPILED, "_forward_module", "module")]
    return next((one for one in inner if one is not None), None)


def _unwrapped(optimizer: Optimizer) -> tuple[Optimizer, Any]:
    """Return the optimizer under a wrapper, and the gradient scaler of that."""
    if not _is_of_packages(optimizer):
        return optimizer, None
    wrapper: Any = optimizer
    precision = getattr(getattr(wrapper, "_strategy", None), "precision", None)
    scaler = getattr(wrapper if precision is None else precision, "scaler", None)
    return wrapper.optimizer, scaler


def _accumulates(optimizer: Any) -> bool:
    """Return whether an optimizer of Accelerate steps only after several batches."""
    state = getattr(optimizer, "gradient_state", None)
    return state is not None and state.num_steps > 1


def _is_of_packages(wrapper: object) -> bool:
    return type(wrapper).__module__.partition(".")[0] in _PACKAGES


def _check(layers: list[nn.Module], optimizer: Optimizer) -> None:
    names = {base.__name__ for layer in layers for base in type(layer).__mro__}
    names |= {base.__name__ for part in layers[-1].modules() for base in type(part).__mro__}
    if sharded := sorted(names & set(_SHARDED)):
        raise UnsupportedError(f"model: {sharded[0]} is not supported, wrap it in DDP")
    stepped = set(parameters_of(optimizer))
    if stepped.isdisjoint(layers[-1].parameters()):
        raise ConfigError(
            "optimizer must be one of the model's parameters, got one that has none of them: make "
            "it from model.parameters()"
        )

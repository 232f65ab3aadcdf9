"""Checkpoints of one run, and their weighted sums."""

import math
import re
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import torch

from autolr.errors import ConfigError
from autolr.runtime.weighted_sum import weighted_sum
from autolr.settings import (
    Array,
    NotNegative,
    Several,
    check_of,
    read_setting,
    read_whole,
)

State: TypeAlias = Mapping[str, Any]
Source: TypeAlias = State | str | Path
Checkpoints: TypeAlias = Mapping[int, Source] | Sequence[str | Path]

_ROUNDING = 1e-5  # of a sum of weights, which may be in float32
_OBJECT = re.compile(r"GLOBAL:? ?`?([\w.]+)")  # in torch's message: the class that is not known
_EXPECTED = "{step: a state dict or the path of one}, or the paths of Lightning's checkpoints"


@dataclass(frozen=True)
class CheckpointSeries:
    """Checkpoints of one run in the order of their steps.

    A file is read anew wherever its weights are needed: memory holds one checkpoint and a sum.

    Attributes:
        steps: The optimizer steps made before each, rising.
        sources: A state dict, or a file, for each.
    """

    steps: tuple[int, ...]
    sources: tuple[Source, ...]

    @classmethod
    def of(cls, checkpoints: Checkpoints) -> "CheckpointSeries":
        """Return the checkpoints as the user has them.

        Args:
            checkpoints: A mapping from steps to state dicts or files; or files of Lightning's
                checkpoints, which tell their steps.

        Raises:
            ConfigError: If there are fewer than two, or their steps do not rise.
        """
        series = cls(*_listed(checkpoints))
        if len(series.steps) < 2:
            raise ConfigError(f"checkpoints must be at least two, got {len(series.steps)}")
        for before, step in zip(series.steps, series.steps[1:], strict=False):
            if step <= before:
                raise ConfigError(f"checkpoints must have rising steps, got {step} after {before}")
        return series

    def merged(self, weights: Sequence[float] | Array) -> dict[str, Any]:
        """Return the weighted sum of the latest checkpoints, as a state dict.

        Sums are taken in float32 at least. What has no fraction, as a count, is that of the last
        checkpoint.

        Args:
            weights: Of as many checkpoints as there are weights, the oldest first.

        Raises:
            ConfigError: If a checkpoint has other weights than the last one, there are fewer
                checkpoints than weights, one is negative, or they do not sum to 1.
        """
        weights = _read_weights(weights)
        if len(weights) > len(self.steps):
            raise ConfigError(
                f"weights must be at most as many as checkpoints, got {len(weights)} weights "
                f"for {len(self.steps)} checkpoints"
            )
        last = self._state(-1)
        sums = weighted_sum(
            (self._checked(place, last), float(weight))
            for place, weight in enumerate(weights, start=-len(weights))
            if weight
        )
        return {k: sums[k].to(v.dtype) if k in sums else v for k, v in last.items()}

    def _state(self, place: int) -> State:
        source = self.sources[place]
        if isinstance(source, Mapping):
            return source
        read = _read(source)
        # of a run with `WeightAveraging`, whose average is under "state_dict"
        state = read.get("current_model_state", read.get("state_dict", read))
        if not isinstance(state, Mapping):
            raise ConfigError(f"checkpoints: {str(source)!r} has no state dict")
        return state

    def _checked(self, place: int, last: State) -> State:
        """Return a checkpoint that has the weights of the last one, by names and shapes."""
        state = last if place == -1 else self._state(place)
        at, end = f"at step {self.steps[place]}", f"at step {self.steps[-1]}"
        if names := sorted(state.keys() ^ last.keys()):
            has, lacks = (at, end) if names[0] in state else (end, at)
            raise ConfigError(f"checkpoints: there is {names[0]!r} {has}, and none {lacks}")
        for name, value in last.items():
            own, other = (
                tuple(each.shape) if isinstance(each, torch.Tensor) else ()
                for each in (value, state[name])
            )
            if own != other:
                raise ConfigError(f"checkpoints: {name!r} has the shape {other} {at}, {own} {end}")
        return state


def merge_checkpoints(checkpoints: Checkpoints, weights: Sequence[float] | Array) -> dict[str, Any]:
    """Return the weighted sum of the latest checkpoints of a run.

    Statistics of batch norm are summed too, and belong to no weights: run training batches through
    the model afterwards, as `torch.optim.swa_utils.update_bn` does.

    Args:
        checkpoints: ``{step: state dict or path}``, or paths of Lightning's checkpoints.
        weights: For the latest checkpoints, the oldest first, as of
            `autolr.schedules.merge_weights`, `lawa_weights`, `polynomial_weights` or
            `ema_weights`.

    Returns:
        A state dict, for ``model.load_state_dict``.

    Raises:
        ConfigError: If checkpoints cannot be read, are fewer than the weights or two, have steps
            that do not rise, or other weights than the last one; or if ``weights`` are negative, or
            do not sum to 1.
    """
    return CheckpointSeries.of(checkpoints).merged(weights)


def _read_weights(weights: object) -> tuple[float, ...]:
    read = read_setting("weights", Several((check_of(NotNegative),)), weights)
    assert isinstance(read, tuple)
    numbers = tuple(weight for weight in read if isinstance(weight, float))
    if abs(math.fsum(numbers) - 1) > _ROUNDING:
        raise ConfigError(f"weights must sum to 1, got a sum of {math.fsum(numbers):g}")
    return numbers


def _listed(checkpoints: Any) -> tuple[tuple[int, ...], tuple[Source, ...]]:
    """Return the steps and the sources of what the user gave."""
    mapped = isinstance(checkpoints, Mapping)
    if not mapped and not isinstance(checkpoints, list | tuple):
        raise ConfigError(f"checkpoints must be {_EXPECTED}, got a {type(checkpoints).__name__}")
    sources = tuple(checkpoints.values() if mapped else checkpoints)
    kinds = (str, Path, Mapping) if mapped else (str, Path)
    if wrong := [each for each in sources if not isinstance(each, kinds)]:
        raise ConfigError(f"checkpoints must be {_EXPECTED}, got a {type(wrong[0]).__name__} in it")
    given: Iterable[Any] = checkpoints if mapped else map(_step_of, sources)
    return tuple(map(_read_step, given)), sources


def _read_step(step: object) -> int:
    try:
        return read_whole("a step", step, 0)
    except ConfigError as error:
        raise ConfigError(f"checkpoints must be {_EXPECTED}: {error}") from None


def _step_of(path: str | Path) -> int:
    step: Any = _read(path).get("global_step")
    if step is None:
        raise ConfigError(
            f"checkpoints: {str(path)!r} does not tell its step, as Lightning's do: give "
            "{step: path}"
        )
    return int(step)


def _read(path: str | Path) -> Mapping[str, Any]:
    try:
        mapped = zipfile.is_zipfile(path)  # as `torch.save` writes it; else of an old version
        read = torch.load(path, map_location="cpu", mmap=mapped, weights_only=True)
    except Exception as error:
        reason = _reason(error)
        raise ConfigError(f"checkpoints: {str(path)!r} cannot be read: {reason}") from error
    if not isinstance(read, Mapping):
        raise ConfigError(f"checkpoints: {str(path)!r} has no state dict")
    return read


def _reason(error: Exception) -> str:
    """Return why a file cannot be read, in one line."""
    if isinstance(error, OSError):
        return str(error)
    if found := _OBJECT.search(str(error)):
        return (
            f"it has an object of {found[1]}; if you trust the file, give "
            "{step: torch.load(path, weights_only=False)['state_dict']}"
        )
    return "it is no checkpoint of torch, or it is damaged"

"""Several optimizers of one run, seen as one."""

from collections.abc import Callable, Iterator, MutableMapping, Sequence
from typing import Any

import torch
from torch.optim import Optimizer
from typing_extensions import override


class JointOptimizer(Optimizer):
    """A view of the optimizers of a run, such as Muon beside AdamW or the two of a GAN.

    It has the very groups of its parts, and their states; it keeps nothing itself, so two views of
    the same parts are equal. A step of it is one of each part.

    Args:
        parts: The optimizers, in the order of the run; two may train the same parameter.
    """

    def __init__(self, parts: Sequence[Optimizer]) -> None:  # no groups of its own
        self.parts = tuple(parts)

    @staticmethod
    def of(optimizers: Sequence[Optimizer]) -> Optimizer:
        """Return several optimizers as one; where there is one, that one itself.

        Args:
            optimizers: At least one.
        """
        return optimizers[0] if len(optimizers) == 1 else JointOptimizer(optimizers)

    @property
    def param_groups(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """The groups of all parts: the very dictionaries."""
        return [group for part in self.parts for group in part.param_groups]

    @property
    def state(self) -> "JointState":  # type: ignore[override]
        """The states of all parts."""
        return JointState(self.parts)

    @override
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for part in self.parts:
            part.step()
        return loss

    @override
    def zero_grad(self, set_to_none: bool = True) -> None:
        for part in self.parts:
            part.zero_grad(set_to_none)

    @override
    def __eq__(self, other: object) -> bool:
        return isinstance(other, JointOptimizer) and self.parts == other.parts

    @override
    def __hash__(self) -> int:
        return hash(self.parts)

    @override
    def __repr__(self) -> str:
        return f"JointOptimizer({', '.join(map(repr, self.parts))})"


class JointState(MutableMapping[Any, Any]):
    """The states of several optimizers as one mapping, which writes through to them.

    A state has the key that it has in its optimizer, which is a parameter as a rule. Where an
    earlier optimizer has that parameter too, or the key is none, the key is a text that names the
    optimizer and the number of the parameter in it: such a key is kept in a checkpoint as it is.

    Args:
        parts: The optimizers.
    """

    def __init__(self, parts: Sequence[Optimizer]) -> None:
        self._parts = parts
        self._places: dict[Any, tuple[Optimizer, Any]] = {}  # of each key that a state may have
        self._keys: list[dict[Any, Any]] = [{} for _ in parts]
        for number, part in enumerate(parts):
            members = [p for group in part.param_groups for p in group["params"]]
            for index, parameter in enumerate(members):
                shared = parameter in self._places
                key = f"optimizer {number}, parameter {index}" if shared else parameter
                self._add(number, key, parameter)
            for own in part.state.keys() - self._keys[number].keys():
                self._add(number, f"optimizer {number}, {own}", own)

    def _add(self, number: int, key: Any, own: Any) -> None:
        self._places[key] = self._parts[number], own
        self._keys[number][own] = key

    @override
    def __getitem__(self, key: Any) -> Any:
        part, own = self._places[key]
        if own not in part.state:  # else an optimizer would make a default
            raise KeyError(key)
        return part.state[own]

    @override
    def __setitem__(self, key: Any, value: Any) -> None:
        if key not in self._places:  # of a state that is not in place
            number, _, own = str(key).removeprefix("optimizer ").partition(", ")
            self._add(int(number), key, own)
        part, own = self._places[key]
        part.state[own] = value

    @override
    def __delitem__(self, key: Any) -> None:
        part, own = self._places[key]
        del part.state[own]

    @override
    def __iter__(self) -> Iterator[Any]:
        pairs = zip(self._parts, self._keys, strict=True)
        return iter([keys[own] for part, keys in pairs for own in part.state])

    @override
    def __len__(self) -> int:
        return sum(len(part.state) for part in self._parts)

    @override
    def clear(self) -> None:
        for part in self._parts:
            part.state.clear()


def parts_of(optimizer: Optimizer) -> tuple[Optimizer, ...]:
    """Return the optimizers behind a view of several; of any other one that one itself."""
    return optimizer.parts if isinstance(optimizer, JointOptimizer) else (optimizer,)


def name_of(optimizer: Optimizer) -> str:
    """Return the class of an optimizer for a message, of several each.

    >>> weight = torch.zeros(1, requires_grad=True)
    >>> name_of(JointOptimizer([torch.optim.SGD([weight]), torch.optim.Adam([weight])]))
    'SGD and Adam'
    """
    return " and ".join(dict.fromkeys(type(part).__name__ for part in parts_of(optimizer)))

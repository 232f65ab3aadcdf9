"""What training changes of a model: found once, and watched at each step."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.optim import Optimizer

from autolr.runtime.structure import Slot, Structure, all_parameters, trainable_parameters

_ALTERNATES = 8  # looks: parts that train in turns (a GAN's) come back within that many


@dataclass(frozen=True, slots=True)
class Change:
    """What trains has changed.

    Attributes:
        reason: What has happened, for the user; of frozen parameters `Copies` says it.
        joined: Parameters that training changes from now on, and did not so far.
        buffers: New buffers.
        lost: Whether a copy of the run cannot follow: it would need values that are gone.
        hidden: Whether the structure is the same, and a frozen parameter was written into.
    """

    reason: str
    joined: tuple[Tensor, ...] = ()
    buffers: tuple[Slot, ...] = ()
    lost: bool = False
    hidden: bool = False


class Trained:
    """The parameters that training changes; all others can be shared by copies of the run.

    They are those that require a gradient and are in the optimizer, from the first time on that
    this is seen, and frozen ones that something else writes into: the momentum copy of an encoder,
    say. Such a write shows in the version of the tensor, or in the address of its memory.

    Args:
        model: The model.
        optimizer: Its optimizer.
    """

    def __init__(self, model: nn.Module, optimizer: Optimizer) -> None:
        self._model = model
        self._optimizer = optimizer
        self._seen: set[Tensor] = set()
        self._marks: dict[Tensor, tuple[int, int]] = {}
        self._patterns: dict[frozenset[Tensor], int] = {}  # what trained, with the last look
        self._looks = 0
        self._renew(Structure.of(model, optimizer))

    @property
    def parameters(self) -> list[Tensor]:
        """The present parameters that training changes."""
        return [p for p in self._all if p in self._seen]

    @property
    def trainable(self) -> frozenset[Tensor]:
        """Those of them that trained at the last look."""
        return self._trains

    @property
    def twins(self) -> list[Tensor]:
        """Frozen parameters of the shape of a trained one: a write into them may come next.

        A momentum copy of a trained network consists of them. An adapter or a head on a frozen
        network has few.
        """
        shapes = {_shape(parameter) for parameter in self._seen}
        return [p for p in self._marks if _shape(p) in shapes]

    def note(self, parameters: Iterable[Tensor]) -> None:
        """Count parameters among those that training changes, whatever has shown that."""
        for parameter in parameters:
            self._seen.add(parameter)
            self._marks.pop(parameter, None)

    def look(self, *, stepped: bool) -> Change | None:
        """Return what has changed since the last look; None if nothing has.

        Args:
            stepped: Whether the run has trained since then: values from before are gone.
        """
        self._looks += 1
        later = Structure.of(self._model, self._optimizer)
        before, same = self._structure, self._structure.same_as(later)
        if same and self._are_patterns_usual():
            return self._written()
        trained = self._trains
        joined = self._renew(later)
        lost = before.lost(later)
        fewer = len(trained - self._trains)
        return Change(
            f"{lost} was replaced" if lost else counted(joined, fewer),
            tuple(joined),
            tuple(before.new_buffers(later)),
            lost=lost is not None or (stepped and bool(joined)),
        )

    def _renew(self, structure: Structure) -> list[Tensor]:
        """Take on another structure; return the parameters that join what training changes."""
        self._structure = structure
        self._all = all_parameters(self._model, self._optimizer)
        self._seen &= self._all.keys()
        trains = trainable_parameters(self._model, self._optimizer)
        joined = [parameter for parameter in trains if parameter not in self._seen]
        self._seen |= set(joined)
        self._flags = [parameter.requires_grad for parameter in self._all]
        self._trains = frozenset(trains)
        self._patterns[self._trains] = self._looks
        self._marks = {p: _mark(p) for p in self._all if p not in self._seen}
        return joined

    def _are_patterns_usual(self) -> bool:
        """Whether what trains is what did last, or does in turns."""
        flags = [parameter.requires_grad for parameter in self._all]
        if flags == self._flags:
            return True
        self._flags = flags
        trains = frozenset(trainable_parameters(self._model, self._optimizer))
        last, self._patterns[trains] = self._patterns.get(trains), self._looks
        return last is not None and self._looks - last <= _ALTERNATES

    def _written(self) -> Change | None:
        """Return the frozen parameters that something has written into."""
        written = [p for p, mark in self._marks.items() if _mark(p) != mark]
        if not written:
            return None
        self.note(written)
        return Change("", tuple(written), hidden=True)


def counted(joined: list[Tensor], fewer: int) -> str:
    """Return what has changed, in words.

    Args:
        joined: Parameters that have begun to train.
        fewer: How many have stopped to.
    """
    if joined:
        return f"{len(joined)} more parameters are trained"
    if fewer > 0:
        return f"{fewer} fewer parameters are trained"
    return "the model or the groups of the optimizer have changed"


def _shape(parameter: Tensor) -> tuple[torch.Size, torch.dtype] | None:
    return None if is_lazy(parameter) else (parameter.shape, parameter.dtype)


def _mark(parameter: Tensor) -> tuple[int, int]:
    """Return what a write changes: in place the version, by ``.data =`` the address."""
    if parameter.is_inference() or is_lazy(parameter):
        return 0, 0
    address = parameter.data_ptr() if type(parameter) in (Tensor, nn.Parameter) else 0
    return parameter._version, address

"""What training changes beside weights and buffers: attributes of modules, and what they hold.

Weights and buffers are torch's; what a module keeps beside them (a list of outputs, the sums of a
torchmetrics metric, a queue, an environment, a second network in a list) is copied here, and with
an optimizer what that keeps (an inner optimizer), so that a probe leaves no trace in the run.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from autolr.runtime.attribute_values import copied_value
from autolr.runtime.equality import EXACT, Tolerance, are_equal
from autolr.runtime.held_objects import HeldObjects
from autolr.runtime.holders import Holder
from autolr.runtime.plain import is_plain
from autolr.runtime.swap import BY_REFERENCE, Swap


class Attributes:
    """A copy of what a model keeps in attributes, to be exchanged with what is in place.

    Numbers, strings, arrays, tensors, generators, and lists, tuples, dicts, sets and deques of
    any of them, nested, are copied; so is an iterator where it can be. Other objects stay where
    they are, and their attributes are exchanged as a module's are. What surrounds a run is shared,
    see `shared_kinds`. Modules of torch itself have none, unless ``whole``. Parameters, buffers and
    sub-modules are not copied, whatever refers to them.

    Args:
        model: The model whose attributes are copied.
        optimizer: Its optimizer, if that counts too: not its groups and the state of parameters,
            which `Snapshot` has.
        whole: See `HeldObjects`.
    """

    def __init__(
        self, model: nn.Module, optimizer: Optimizer | None = None, *, whole: bool = False
    ) -> None:
        held = HeldObjects(model, optimizer, whole=whole)
        copies = dict(held.known)
        self._holders = held.holders
        self._modules = held.modules
        self._saved = {
            name: {field: copied_value(value, copies) for field, value in holder.fields().items()}
            for name, holder in held.holders.items()
        }
        self._leaves = held.leaves
        self._data = {name: _copied_leaf(leaf) for name, leaf in held.leaves.items()}

    def add_new(self, model: nn.Module, optimizer: Optimizer | None = None) -> None:
        """Copy what modules and other objects keep that the model has got since.

        Args:
            model: See `Attributes`.
            optimizer: See `Attributes`.
        """
        later = Attributes(model, optimizer)
        for name in later._holders.keys() - self._holders.keys():
            self._holders[name], self._saved[name] = later._holders[name], later._saved[name]
        for name in later._leaves.keys() - self._leaves.keys():
            self._leaves[name], self._data[name] = later._leaves[name], later._data[name]

    def exchange(self, swap: Swap = BY_REFERENCE) -> None:
        """Swap the saved attributes with those of the model, by reference.

        Called twice, it leaves the model with the very objects that it had.

        Args:
            swap: How the data of hidden weights are swapped.
        """
        for name, holder in self._holders.items():
            present = holder.fields()
            holder.replace(self._saved[name])
            self._saved[name] = present
        for name, leaf in self._leaves.items():
            data, gradient = self._data[name]
            self._data[name] = swap.data(leaf, data), swap.gradient(leaf, gradient)

    def by_holder(self) -> Iterator[tuple[Holder, dict[str, Any]]]:
        """Yield what holds attributes, with those that are saved of it, to be changed."""
        for name, holder in self._holders.items():
            yield holder, self._saved[name]

    def state_dict(self) -> list[dict[str, Any]]:
        """Return what differs from the attributes in place and is plain; see `is_plain`."""
        return [
            {
                field: value
                for field, value in saved.items()
                if is_plain(value) and not self._is_in_place(self._holders[name], field, value)
            }
            for name, saved in self._saved.items()
        ]

    def load_state_dict(self, state: Sequence[Mapping[str, Any]]) -> None:
        """Take on what `state_dict` returned of the same model; the rest stays as it is.

        Where the model holds other objects now, these keep what they have.
        """
        every = len(state) == len(self._saved)
        names = list(self._saved)[: len(state) if every else self._modules]
        for name, values in zip(names, state, strict=False):
            self._saved[name].update(values)

    def equal(self, other: "Attributes") -> bool:
        """Return whether another copy of the same model has equal values."""
        return next(self.differences(other), None) is None

    def differences(self, other: "Attributes", tolerance: Tolerance = EXACT) -> Iterator[str]:
        """Yield the names of attributes in which another copy of the same model differs.

        Args:
            other: The other copy.
            tolerance: How much may differ.
        """
        for name in [*self._saved, *(other._saved.keys() - self._saved.keys())]:
            mine, theirs = self._saved.get(name, {}), other._saved.get(name, {})
            for field in [*mine, *(theirs.keys() - mine.keys())]:
                both = field in mine and field in theirs
                if not (both and are_equal(mine[field], theirs[field], tolerance)):
                    yield f"{name}.{field}" if name else field
        for name, (data, _) in self._data.items():
            if name in other._data and not are_equal(data, other._data[name][0], tolerance):
                yield name

    @staticmethod
    def _is_in_place(holder: Holder, field: str, value: Any) -> bool:
        present = holder.fields()
        return field in present and are_equal(value, present[field])


def _copied_leaf(leaf: Tensor) -> tuple[Tensor, Tensor | None]:
    return leaf.detach().clone(), None if leaf.grad is None else leaf.grad.detach().clone()

"""Plain attributes of modules that training changes: counters, lists, states of metrics.

Weights and buffers are torch's; what a module keeps beside them (a list of outputs, the
sums of a torchmetrics metric, a hidden state) is copied here, so that a probe leaves no
trace in the run.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from autolr.runtime.attribute_values import IS_PLAIN, are_equal, copied_value
from autolr.runtime.model_tensors import modules_of, tensors_of
from autolr.runtime.plain import is_plain

_TORCHS_OWN = frozenset(nn.Module().__dict__)


class Attributes:
    """A copy of the plain attributes of a model, to be exchanged with those in place.

    Plain are numbers, strings, arrays, tensors, generators, and lists, tuples, dicts, sets and
    deques of any of them, nested; other objects are shared. Modules of torch itself have none.
    Parameters, buffers and sub-modules are not copied, whatever refers to them.

    Args:
        model: The model whose attributes are copied.
    """

    def __init__(self, model: nn.Module) -> None:
        parameters, buffers = tensors_of(model)
        copies: dict[int, Any] = {id(tensor): tensor for tensor in [*parameters, *buffers]}
        self._saved = [
            (module, {name: copied_value(value, copies) for name, value in _plain(module).items()})
            for module in modules_of(model)
            if not type(module).__module__.startswith("torch.")
        ]

    def exchange(self) -> None:
        """Swap the saved attributes with those of the model, by reference.

        Called twice, it leaves the model with the very objects that it had.
        """
        exchanged = []
        for module, saved in self._saved:
            present = _plain(module)
            for name in present.keys() - saved.keys():
                del module.__dict__[name]
            module.__dict__.update(saved)
            exchanged.append((module, present))
        self._saved = exchanged

    def state_dict(self) -> list[dict[str, Any]]:
        """Return what differs from the attributes in place and is plain; see `is_plain`."""
        return [
            {name: value for name, value in saved.items() if _differs(value, name, module)}
            for module, saved in self._saved
        ]

    def load_state_dict(self, state: Sequence[Mapping[str, Any]]) -> None:
        """Take on what `state_dict` returned of the same model; the rest stays as it is."""
        for (_, saved), values in zip(self._saved, state, strict=True):
            saved.update(values)

    def equal(self, other: "Attributes") -> bool:
        """Return whether another copy of the same model has equal values."""
        pairs = zip(self._saved, other._saved, strict=True)
        return all(are_equal(mine, theirs) for (_, mine), (_, theirs) in pairs)


def _plain(module: nn.Module) -> dict[str, Any]:
    return {
        name: value
        for name, value in module.__dict__.items()
        if name not in _TORCHS_OWN and IS_PLAIN[type(value)]
    }


def _differs(value: Any, name: str, module: nn.Module) -> bool:
    present = _plain(module)
    same = name in present and are_equal(value, present[name])
    return not same and is_plain(value)

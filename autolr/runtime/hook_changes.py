"""What hooks between two batches change, to be repeated on rivals.

The hooks of an epoch and the Trainer's validation run once, for the live run. They clear lists,
reset metrics, raise a counter, fill a buffer. Rivals get the same values; what their own steps have
changed in other attributes stays theirs.
"""

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn
from torch.optim import Optimizer

from autolr.runtime.attribute_values import IS_PLAIN, copied_value
from autolr.runtime.equality import are_equal
from autolr.runtime.held_objects import HeldObjects, is_metric

if TYPE_CHECKING:
    from autolr.runtime.holders import Holder


class HookChanges:
    """Watches the live run from the end of one batch to the beginning of the next.

    Args:
        model: The model, after the hooks of a batch.
        optimizer: Its optimizer.

    Attributes:
        changed: What has been changed, after `take`: by the name of its holder and its own, the
            holder.
    """

    def __init__(self, model: nn.Module, optimizer: Optimizer) -> None:
        held = HeldObjects(model, optimizer)
        self._model = model
        self._known = held.known
        self._holders = held.holders
        copies = dict(held.known)
        self._before = {
            name: {f: (value, _copy(value, copies)) for f, value in holder.fields().items()}
            for name, holder in held.holders.items()
        }
        self._buffers = {place: buffer.clone() for place, buffer in _buffers_of(model).items()}
        self.changed: dict[tuple[str, str], Holder] = {}
        self._fields: list[tuple[Holder, dict[str, Any], set[str]]] = []
        self._values: dict[tuple[nn.Module, str], Tensor] = {}

    def take(self) -> None:
        """Note what differs now, before the hooks of the next batch."""
        for name, holder in self._holders.items():
            present, before = holder.fields(), self._before[name]
            changed = {
                f: v for f, v in present.items() if f not in before or _differ(*before[f], v)
            }
            gone = before.keys() - present.keys()
            self.changed |= {(name, field): holder for field in changed}
            if (changed or gone) and is_metric(holder.owner):
                changed = present  # a sum that was 0 before a reset is 0 after it
            self._fields.append((holder, changed, gone))
        for place, buffer in _buffers_of(self._model).items():
            if place not in self._buffers or not are_equal(self._buffers[place], buffer):
                self._values[place] = buffer.clone()

    def apply(self) -> None:
        """Make the changes in the state that is in place."""
        copies = dict(self._known)
        for holder, changed, gone in self._fields:
            if changed or gone:
                kept = {f: v for f, v in holder.fields().items() if f not in gone}
                own = {f: _private(value, copies) for f, value in changed.items()}
                holder.replace({**kept, **own})
        for (module, name), value in self._values.items():
            present = module._buffers.get(name)
            if present is not None and present.shape == value.shape:
                present.data.copy_(value)
            else:
                module._buffers[name] = value.clone()


def _buffers_of(model: nn.Module) -> dict[tuple[nn.Module, str], Tensor]:
    return {
        (module, name): buffer
        for module in model.modules()
        for name, buffer in module._buffers.items()
        if buffer is not None
    }


def _copy(value: Any, copies: dict[int, Any]) -> Any:
    return copied_value(value, copies) if IS_PLAIN[type(value)] else None


def _differ(before: Any, copied: Any, now: Any) -> bool:
    if IS_PLAIN[type(before)] and IS_PLAIN[type(now)]:
        return not are_equal(copied, now)
    return before is not now


def _private(value: Any, copies: Mapping[int, Any]) -> Any:
    """Return a copy of what a hook has bound; objects that cannot be copied are shared."""
    if IS_PLAIN[type(value)]:
        return copied_value(value, dict(copies))
    try:
        return copy.deepcopy(value, dict(copies))
    except Exception:  # of a class that we do not know
        return value

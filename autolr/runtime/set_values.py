"""What code outside of a step sets on the modules of a run, such as a callback at each batch.

It sets a weight of the loss by the step, say, on the state in place alone. The same values are put
on every other state of the run: in a rival before and after the step that it repeats, and in an
older state that takes the run's place.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from operator import is_
from typing import Any, TypeAlias, TypeGuard

from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from autolr.runtime.attribute_values import ATOMS, IS_PLAIN, copied_value
from autolr.runtime.equality import are_equal
from autolr.runtime.held_objects import is_metric, is_torchs

Values: TypeAlias = dict[tuple[nn.Module, str], Any]
"""By a module and the name of an attribute or buffer of it."""


class SetValues:
    """Watches attributes and buffers of the modules that are not torch's.

    They are compared by what they refer to, which takes microseconds. What is written into a
    tensor is seen if that has one element, what is changed within a list or an object is not.

    Args:
        wanted: Returns whether there are rivals: they need the values, later ones the places.

    Attributes:
        before_hook: What has been set before the module's own hook at the end of a batch.
        before_step: What has been set behind that, up to the step of the next batch.
        after_step: What has been set since that step, before its rivals repeat it.
        places: Where numbers and words have been set in the run so far, by the name of the module
            and their own.
    """

    def __init__(self, wanted: Callable[[], bool]) -> None:
        self._wanted = wanted
        self.before_hook: Values = {}
        self.before_step: Values = {}
        self.after_step: Values = {}
        self.places: set[tuple[str, str]] = set()
        self._model: nn.Module | None = None
        self._ignored: Collection[str] = ()
        self._parts: list[tuple[nn.Module, dict[str, Any], list[str]]] = []
        self._begun: list[_Part] | None = None

    def watch(self, model: nn.Module, ignored: Collection[str]) -> None:
        """Have `begin` begin to watch the present modules of a model from now on.

        Args:
            model: The model.
            ignored: Names of attributes that are not the user's.
        """
        self._model, self._ignored = model, ignored
        self.renew()

    def renew(self) -> None:
        """Take on modules and tensors that the model has got since."""
        modules = [] if self._model is None else self._model.modules()
        own = [m for m in modules if not (is_torchs(m) or is_metric(m))]
        parts = [(m, held) for m in own for held in (vars(m), m._buffers) if held]
        self._parts = [(m, held, [n for n, v in held.items() if _is_one(v)]) for m, held in parts]

    def begin(self, *, anew: bool = False) -> None:
        """Begin to watch, unless that has begun: what runs now is no step of the run.

        Args:
            anew: Whether to begin in any case, as a step has just been made.
        """
        if self._model is not None and (anew or self._begun is None):
            self._begun = [_Part.of(*part) for part in self._parts]

    def begin_step(self) -> None:
        """Note what has been set up to here for the step to come; watch no longer."""
        self.before_step |= self._end()

    def end_step(self) -> None:
        """Note what has been set since the step; watch no longer, while rivals repeat it."""
        self.after_step = self._end()

    def begin_hook(self) -> None:
        """Note what has been set since rivals have repeated the step; watch no longer."""
        self.before_hook = self._end()

    def repeated(self) -> None:
        """Begin to watch again, as rivals have repeated the step with all that was noted."""
        self.before_hook, self.before_step, self.after_step = {}, {}, {}
        self.begin()

    def _end(self) -> Values:
        begun, self._begun = self._begun or [], None
        values = {
            (part.module, name): value
            for part in begun
            for name, value in part.changed()
            if name not in self._ignored
        }
        self._note(values)
        return {p: _copy(value) for p, value in values.items()} if self._wanted() else {}

    def present(self) -> Values:
        """Return what stands now where numbers and words have been set in the run so far."""
        if self._model is None or not self.places:
            return {}
        modules = dict(self._model.named_modules())
        places = [(modules[path], name) for path, name in self.places if path in modules]
        held = {(m, name): {**vars(m), **m._buffers}.get(name) for m, name in places}
        return {place: _copy(value) for place, value in held.items() if _is_single(value)}

    def _note(self, values: Values) -> None:
        places = {place for place, value in values.items() if _is_single(value)}
        if places and self._model is not None:
            paths = {module: path for path, module in self._model.named_modules()}
            self.places |= {(paths[module], name) for module, name in places if module in paths}


@dataclass(frozen=True, slots=True)
class _Part:
    """The attributes or the buffers of a module, as they were.

    Attributes:
        module: The module.
        present: The dictionary that holds them.
        fields: What it held.
        writes: By name, of each tensor of one element: its number of writes and a copy.
    """

    module: nn.Module
    present: dict[str, Any]
    fields: dict[str, Any]
    writes: dict[str, tuple[int, Tensor]]

    @classmethod
    def of(cls, module: nn.Module, present: dict[str, Any], names: Sequence[str]) -> "_Part":
        tensors = [(name, present.get(name)) for name in names]
        writes = {name: (t._version, t.detach().clone()) for name, t in tensors if _is_one(t)}
        return cls(module, present, present.copy(), writes)

    def changed(self) -> Iterator[tuple[str, Any]]:
        """Yield what is held now and was not."""
        for name, (writes, before) in self.writes.items():
            now = self.present.get(name)
            if now is self.fields[name] and now._version != writes and not are_equal(before, now):
                yield name, now
        if len(self.fields) == len(self.present) and all(
            map(is_, self.fields.values(), self.present.values())
        ):
            return
        for name, value in self.present.items():
            before = self.fields.get(name, self)
            if value is not before and not _are_equal_atoms(before, value):
                yield name, value


def put(values: Values) -> None:
    """Set values in the state that is in place; each state gets tensors of its own."""
    for (module, name), value in values.items():
        present = module._buffers.get(name)
        if present is not None and value is not None and present.shape == value.shape:
            present.data.copy_(value)
        else:
            part: dict[str, Any] = module._buffers if name in module._buffers else vars(module)
            part[name] = _copy(value)


def _are_equal_atoms(one: Any, other: Any) -> bool:
    return type(one) in ATOMS and type(one) is type(other) and bool(one == other)


def _is_one(value: Any) -> TypeGuard[Tensor]:
    """Return whether a value is a tensor of one element that counts its writes."""
    if not isinstance(value, Tensor) or is_lazy(value) or value.is_inference():
        return False
    return value.numel() == 1


def _is_single(value: Any) -> bool:
    return type(value) in ATOMS or _is_one(value)


def _copy(value: Any) -> Any:
    return copied_value(value, {}) if IS_PLAIN[type(value)] else value

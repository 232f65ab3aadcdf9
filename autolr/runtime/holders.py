"""Objects whose attributes or variables are state."""

import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from typing_extensions import override

from autolr.runtime.attribute_access import attributes_of, slot_values
from autolr.runtime.shared_kinds import SLOTS_OF

_DEFAULTS = ("__defaults__", "__kwdefaults__")


@dataclass(frozen=True, slots=True)
class Holder:
    """An object whose attributes are state.

    Attributes:
        owner: The object.
        is_foreign: Whether an attribute of that name is not its own state.
    """

    owner: Any
    is_foreign: Callable[[str], bool]

    def fields(self) -> dict[str, Any]:
        """Return the attributes by name."""
        present = attributes_of(self.owner)
        own = {name: value for name, value in present.items() if not self.is_foreign(name)}
        return own | slot_values(self.owner, SLOTS_OF[type(self.owner)] or ())

    def replace(self, fields: Mapping[str, Any]) -> None:
        """Set these attributes, and delete others that `fields` returns."""
        slots = SLOTS_OF[type(self.owner)] or ()
        present = attributes_of(self.owner)
        for name in self.fields().keys() - fields.keys():
            if name in slots:
                object.__delattr__(self.owner, name)
            else:
                del present[name]
        for name, value in fields.items():
            if name in slots:
                object.__setattr__(self.owner, name, value)
            else:
                present[name] = value


class Closure(Holder):
    """A function whose variables are state: those of the function around it, and its defaults."""

    __slots__ = ()

    @override
    def fields(self) -> dict[str, Any]:
        """Return by name what the variables hold, and the default values of arguments."""
        held = {name: cell.cell_contents for name, cell in self._cells().items() if _is_set(cell)}
        defaults = {name: getattr(self.owner, name) for name in _DEFAULTS}
        return held | {name: values for name, values in defaults.items() if values}

    @override
    def replace(self, fields: Mapping[str, Any]) -> None:
        """Set these variables; others stay as they are."""
        cells = self._cells()
        for name, value in fields.items():
            if name in cells:
                cells[name].cell_contents = value
            else:
                setattr(self.owner, name, value)

    def _cells(self) -> dict[str, types.CellType]:
        closure = self.owner.__closure__ or ()
        return dict(zip(self.owner.__code__.co_freevars, closure, strict=True))


class Method(Holder):
    """A method that is bound to an object, which is state."""

    __slots__ = ()

    @override
    def fields(self) -> dict[str, Any]:
        """Return the object, by name."""
        return {"__self__": self.owner.__self__}

    @override
    def replace(self, fields: Mapping[str, Any]) -> None:
        """Do nothing: the object stays the same, and takes on what it can in place."""


def _is_set(cell: types.CellType) -> bool:
    try:
        return cell.cell_contents is not cell
    except ValueError:  # the variable has no value yet
        return False

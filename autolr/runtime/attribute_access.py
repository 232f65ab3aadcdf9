"""What values of a user's have, asked without their `__getattr__`, which may raise anything."""

from typing import Any


def has_method(value: object, name: str) -> bool:
    """Return whether the type of a value defines a name, as Python's own protocols ask.

    Args:
        value: A value of any kind.
        name: Of a method, such as ``__next__``.
    """
    return hasattr(type(value), name)


def attributes_of(value: object) -> dict[str, Any]:
    """Return the attributes that a value itself has, by name, to be changed; empty without any."""
    try:
        present: dict[str, Any] = object.__getattribute__(value, "__dict__")
    except AttributeError:
        return {}
    return present


def slot_values(value: object, slots: tuple[str, ...]) -> dict[str, Any]:
    """Return what the slots of a value hold, by name; empty ones are left out.

    Args:
        value: A value of any kind.
        slots: Their names, as its class has them.
    """
    held = {}
    for name in slots:
        try:
            held[name] = object.__getattribute__(value, name)
        except AttributeError:
            continue
    return held

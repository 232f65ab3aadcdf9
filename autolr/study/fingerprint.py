"""The settings that a study was made with, and where two sets of them differ."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from autolr.errors import AutoLRError, StudyMismatchError
from autolr.space import Space
from autolr.space.widening import accepted, grown, lost, widened

_LONGEST = 80  # characters of a value in a message, which shows two

NOT_SET = "not set"
_GROWS = "a space may only grow"


class Difference(NamedTuple):
    """A setting that changed: its dotted key and both values, ready to print."""

    key: str
    old: str
    new: str


def as_json(parts: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``parts`` after a round trip through JSON: tuples become lists, keys strings."""
    result: dict[str, Any] = json.loads(json.dumps(parts))
    return result


def first_difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> Difference | None:
    """Return the first setting in which two nested descriptions differ, or None.

    1 and 1.0 are equal, 1 and True are not. Members of a list are named by their position:
    ``betas.1``.

    Args:
        old: The stored settings; those that ``new`` lacks come last.
        new: The present settings; their order decides which is first.

    >>> first_difference({"optimizer": {"lr": 0.1}}, {"optimizer": {"lr": 0.2}})
    Difference(key='optimizer.lr', old='0.1', new='0.2')
    """
    before, after = dict(_leaves(as_json(old))), dict(_leaves(as_json(new)))
    for path in {**after, **before}:
        if path in before and path in after and _same(before[path], after[path]):
            continue
        return Difference(".".join(path), _show(before, path), _show(after, path))
    return None


class Growth(NamedTuple):
    """How the space of a study grew: the one it continues with, and the parameters that did."""

    space: Space
    names: tuple[str, ...]


def growth_of(stored: Mapping[str, Any], parts: Mapping[str, Any]) -> Growth | None:
    """Return how a space grew or was ordered anew; None if both have no space that can be read.

    Args:
        stored: The settings that a study was made with.
        parts: The settings that it would be resumed with.
    """
    try:
        old, new = (Space.from_dict(settings["space"]) for settings in (stored, parts))
    except (AutoLRError, LookupError, TypeError):
        return None
    space = grown(old, new)
    return Growth(space, widened(old, space))


def check_fingerprint(
    name: str, stored: Mapping[str, Any], parts: Mapping[str, Any]
) -> Growth | None:
    """Compare the stored settings of a study with the present ones; return how its space grew.

    A space may have more choices than the stored one, in any order, wider ranges, and parameters
    that exist under new choices only. None: there is no space that can be read.

    Args:
        name: The study.
        stored: The settings that it was made with.
        parts: The settings that it would be resumed with.

    Raises:
        StudyMismatchError: If another setting differs; the message names the first one.
    """
    growth = growth_of(stored, parts)
    if growth is not None:
        old = Space.from_dict(stored["space"])
        stored = {**stored, "space": accepted(old, growth.space)}
        parts = {**parts, "space": growth.space.to_dict()}
        _check_parameters(name, stored["space"], parts["space"])
        _check_values(name, old, growth.space)
    difference = first_difference(stored, parts)
    if difference is not None:
        raise mismatch(name, difference)
    return growth


def mismatch(name: str, difference: Difference) -> StudyMismatchError:
    """Return the error for a study that was made with another setting.

    Args:
        name: The study.
        difference: The path of the setting, its stored value and the present one.
    """
    key, old, new = difference
    hint = f" ({_GROWS})" if key.startswith("space.") else ""
    return _mismatch(name, f"was made with {key} = {old}, now it is {new}{hint}")


def _mismatch(name: str, why: str) -> StudyMismatchError:
    return StudyMismatchError(
        f"study {name!r} {why}",
        "use {study} for a new study, {fresh} to start over, or restore the old setting",
    )


def _check_parameters(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Refuse parameters that the other space lacks: no trial before, or none after, has them."""
    for named, made, only in ((new, "without", old), (old, "with", new)):
        for parameter in named:
            if parameter not in only:
                can = "a study can get more choices and wider ranges, no other parameters"
                raise _mismatch(name, f"was made {made} the parameter {parameter} ({can})")


def _check_values(name: str, old: Space, new: Space) -> None:
    """Refuse a space without a value that a trial may have."""
    for parameter, domain in old.parameters:
        if (gone := lost(parameter, domain, new.domains[parameter])) is not None:
            raise _mismatch(name, f"was made with another space: {gone} ({_GROWS})")


def _leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves(inner, (*path, key))
    elif isinstance(value, list) and value:
        for position, inner in enumerate(value):
            yield from _leaves(inner, (*path, str(position)))
    else:
        yield path, value


def _same(old: Any, new: Any) -> bool:
    if isinstance(old, bool) != isinstance(new, bool):
        return False
    return bool(old == new) or (old != old and new != new)  # NaN


def _show(leaves: Mapping[tuple[str, ...], Any], path: tuple[str, ...]) -> str:
    if path not in leaves:
        return NOT_SET
    text = repr(leaves[path])
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."

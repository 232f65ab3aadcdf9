"""Messages as JSON: written from dataclasses, and checked against their types as they are read."""

import json
import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

from autolr.candidate_space import owned
from autolr.config import Config, import_registered
from autolr.space import Space
from autolr.tune_config import TuneConfig, parse_tune

LONGEST = 16 * 2**20  # bytes of a message; a config takes some thousands
_PAIRS = "autolr: pairs"  # the key of a mapping whose keys are not all strings
_SHOWN = 200  # characters of a reason: three lines of a terminal


class WireError(ValueError):
    """What came is no message, or not one that may come from there."""


def to_json(*messages: object) -> bytes:
    """Return messages, which are dataclasses, as a list in JSON, each with its name."""
    listed = [{"message": type(one).__name__, "fields": _plain(one)} for one in messages]
    return json.dumps(listed).encode()


def from_json(data: bytes, expected: Any) -> list[Any]:
    """Return the messages that `to_json` wrote.

    Args:
        data: What came.
        expected: A union of the dataclasses that may come.

    Raises:
        WireError: If one is none of those, lacks a field, has one too many, or one of another type.
    """
    known = {kind.__name__: kind for kind in get_args(expected)}
    try:
        listed = _unpaired(json.loads(data.decode()))
        _require(isinstance(listed, list), "no list of messages")
        return [_message(one, known) for one in listed]
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise WireError(reason[:_SHOWN] or type(error).__name__) from None


def _message(message: Any, known: Mapping[str, Any]) -> Any:
    _require(isinstance(message, dict) and message.keys() == {"message", "fields"}, "no message")
    name = message["message"]
    _require(isinstance(name, str) and name in known, f"unknown message {name!r:.60}")
    return _read(known[name], message["fields"], name)


def _plain(value: Any) -> Any:
    if isinstance(value, Config):
        return _of_config(value)
    if hasattr(type(value), "to_dict"):
        return _plain(value.to_dict())
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        items = [(key, _plain(inner)) for key, inner in value.items()]
        named = all(isinstance(key, str) and key != _PAIRS for key in value)
        return dict(items) if named else {_PAIRS: items}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, Enum):
        return value.value
    return str(value) if isinstance(value, Path) else value


def _unpaired(value: Any) -> Any:
    if isinstance(value, list):
        return [_unpaired(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {_PAIRS}:
        return {key: _unpaired(inner) for key, inner in value[_PAIRS]}
    return {key: _unpaired(inner) for key, inner in value.items()}


def _of_config(config: Config) -> dict[str, Any]:
    """Return what a worker needs of a config: not the storage, whose URL may hold a password."""
    names = (field.name for field in fields(TuneConfig) if field.name != "storage")
    return {
        "fit": _plain(config.fit),
        "tune": {name: _plain(getattr(config.tune, name)) for name in names},
        "space": config.space.to_dict(),
        "seed": config.seed,
        "folder": str(config.folder),
    }


def _to_config(value: Any, where: str) -> Config:
    _require(isinstance(value, dict), f"{where} is no mapping")
    _require(value.keys() == {field.name for field in fields(Config)}, f"the fields of {where}")
    config = Config(
        fit=_read(dict[Any, Any], value["fit"], f"{where}.fit"),
        tune=parse_tune(_read(dict[str, Any], value["tune"], f"{where}.tune")),
        space=Space.from_dict(_read(dict[str, Any], value["space"], f"{where}.space")),
        seed=_read(int, value["seed"], f"{where}.seed"),
        folder=_read(Path, value["folder"], f"{where}.folder"),
    )
    import_registered(config)  # before the candidate that follows in a job
    return replace(config, space=owned(config.space))


def _read(hint: Any, value: Any, where: str) -> Any:
    """Return a plain value as the type that ``hint`` says."""
    origin = get_origin(hint)
    if hint is Any:
        return value
    if origin in (Union, types.UnionType):
        return _read_union(get_args(hint), value, where)
    if origin is not None:
        return _read_container(origin, get_args(hint), value, where)
    return _read_record(hint, value, where) if is_dataclass(hint) else _scalar(hint, value, where)


def _read_union(options: tuple[Any, ...], value: Any, where: str) -> Any:
    if value is None and type(None) in options:
        return None
    (hint,) = (option for option in options if option is not type(None))
    return _read(hint, value, where)


def _read_container(origin: Any, inner: tuple[Any, ...], value: Any, where: str) -> Any:
    if origin is tuple:
        _require(isinstance(value, list), f"{where} is no list")
        return tuple(_read(inner[0], item, where) for item in value)
    _require(isinstance(value, dict), f"{where} is no mapping")
    return {_read(inner[0], k, where): _read(inner[1], v, where) for k, v in value.items()}


def _read_record(kind: Any, value: Any, where: str) -> Any:
    if kind is Config:
        return _to_config(value, where)
    _require(isinstance(value, dict), f"{where} is no mapping")
    if hasattr(kind, "from_dict"):
        return kind.from_dict(value)
    hints = get_type_hints(kind)
    _require(value.keys() == hints.keys(), f"the fields of {where} are {sorted(hints)}")
    return kind(**{name: _read(hints[name], value[name], f"{where}.{name}") for name in hints})


def _scalar(hint: Any, value: Any, where: str) -> Any:
    if hint is float and type(value) is int:
        return float(value)
    if hint is Path and type(value) is str and "\0" not in value:
        return Path(value)
    if issubclass(hint, Enum):
        return hint(value)
    _require(type(value) is hint, f"{where} is no {hint.__name__}")
    return value


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise WireError(otherwise)

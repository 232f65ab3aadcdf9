"""What chooses the parameters of a trial: the setting `tune.sampler`."""

import json
from collections.abc import Mapping
from typing import Any

from autolr.errors import ConfigError, unknown_name
from autolr.predicates import is_text

NAMED = ("tpe", "random", "gp", "cmaes")
_SHORT = r"[A-Z]\w*"  # a class of `optuna.samplers`
_PATH = r"[^\W\d]\w*(\.[^\W\d]\w*)+"  # module.Class
_KEYS = ("class_path", "init_args")


def parse_sampler(value: object) -> str | dict[str, Any]:
    """Return the sampler that a config names in the form that is compared at a resume.

    Args:
        value: A name; the path of a class; or a mapping with ``class_path`` and, if it needs any,
            ``init_args``. The name of a class alone is one of ``optuna.samplers``.

    Returns:
        The name; else a mapping with the full ``class_path``, and with ``init_args`` in plain JSON.

    Raises:
        ConfigError: If it is neither, has an unknown key, or arguments that are not plain values.

    >>> parse_sampler("QMCSampler")
    {'class_path': 'optuna.samplers.QMCSampler', 'init_args': {}}
    """
    if isinstance(value, str) and value in NAMED:
        return value
    if isinstance(value, str) and value.lower() in NAMED:
        raise ConfigError(unknown_name("tune.sampler", value, NAMED))
    if not isinstance(value, Mapping):
        return {"class_path": _path("tune.sampler", value), "init_args": {}}
    for key in value:
        if key not in _KEYS:
            raise ConfigError(f"tune.sampler: {unknown_name('key', key, _KEYS)}")
    path = _path("tune.sampler.class_path", value.get("class_path"))
    return {"class_path": path, "init_args": _plain(value.get("init_args"))}


def sampler_text(sampler: str | Mapping[str, Any]) -> str:
    """Return a sampler in one line.

    >>> sampler_text({"class_path": "my_project.Mine", "init_args": {"share": 0.1, "names": ["a"]}})
    "my_project.Mine(share=0.1, names=['a'])"
    """
    if isinstance(sampler, str):
        return sampler
    given = ", ".join(f"{name}={_text(value)}" for name, value in sampler["init_args"].items())
    return f"{sampler['class_path']}({given})"


def _text(value: object) -> str:
    """Return an argument; a class with its arguments is written as the sampler itself is."""
    if isinstance(value, Mapping) and "class_path" in value:
        return sampler_text({"init_args": {}, **value})
    return repr(value)


def _path(setting: str, value: object) -> str:
    if is_text(value, _PATH):
        return str(value)
    if is_text(value, _SHORT):
        return f"optuna.samplers.{value}"
    if setting.endswith("class_path"):
        raise ConfigError.of(setting, value, "a class such as optuna.samplers.QMCSampler")
    error = ConfigError.of(setting, value, f"one of {', '.join(NAMED)}")
    raise ConfigError(f"{error}; or give a class such as optuna.samplers.QMCSampler")


def _plain(arguments: object) -> dict[str, Any]:
    if arguments is None:
        return {}
    expected = "a mapping from arguments to numbers, text, lists and mappings"
    if not isinstance(arguments, Mapping) or not all(isinstance(key, str) for key in arguments):
        raise ConfigError.of("tune.sampler.init_args", arguments, expected)
    try:
        plain: dict[str, Any] = json.loads(json.dumps(dict(arguments)))
    except (TypeError, ValueError):
        raise ConfigError.of("tune.sampler.init_args", arguments, expected) from None
    return plain

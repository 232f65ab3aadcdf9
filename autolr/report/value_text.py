"""Lists and mappings in one line, as they stand in tables."""

import json
from contextlib import suppress
from typing import Any

_CLASS = {"class_path", "init_args", "dict_kwargs"}


def plain_text(value: object) -> str:
    """Return JSON, in which a class with its arguments is a call.

    Args:
        value: Plain; text may be the JSON of a list or a mapping, as a study stores it.

    >>> plain_text([8, 16]), plain_text({"class_path": "torch.optim.SGD", "init_args": {"lr": 0.1}})
    ('[8, 16]', 'SGD(lr=0.1)')
    """
    if isinstance(value, str) and value.startswith(("[", "{")):
        with suppress(ValueError):
            return _text(json.loads(value))
        return value
    return value if isinstance(value, str) else _text(value)


def _text(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_text, value))}]"
    if not isinstance(value, dict):
        return json.dumps(value)
    if "class_path" not in value or not value.keys() <= _CLASS:
        return json.dumps(value, sort_keys=True)
    given = {**(value.get("init_args") or {}), **(value.get("dict_kwargs") or {})}
    arguments = ", ".join(f"{name}={_text(inner)}" for name, inner in given.items())
    name = str(value["class_path"]).rpartition(".")[2]
    return f"{name}({arguments})" if arguments else name

"""Reading what a function has saved of a trial; see `packed_state`."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from autolr.objective.packed_state import STATE, TENSORS
from autolr.objective.state_kinds import KINDS

_SHOWN = 120  # characters of a reason: it stands at the end of a line


class UnusableStateError(ValueError):
    """A file cannot be used; the message continues a sentence that names it."""


def read_state(file: Path) -> tuple[Any, dict[str, Any]]:
    """Return the state and the notes of a file.

    Raises:
        UnusableStateError: If it is damaged, or something else.
    """
    try:
        with zipfile.ZipFile(file) as opened:
            plain = json.loads(opened.read(STATE))
            tensors = _tensors(opened) if TENSORS in opened.namelist() else []
            return _unpacked(plain["state"], opened, tensors), plain["notes"]
    except Exception as error:  # what is not ours may raise anything
        reason = " ".join(str(error).split())[:_SHOWN]
        raise UnusableStateError(f"it is damaged ({type(error).__name__}: {reason})") from None


def _tensors(opened: zipfile.ZipFile) -> list[Any]:
    import torch  # here: few states have tensors

    buffer = io.BytesIO(opened.read(TENSORS))
    tensors: list[Any] = torch.load(buffer, map_location="cpu", weights_only=True)
    return tensors


def _unpacked(value: Any, opened: zipfile.ZipFile, tensors: list[Any]) -> Any:
    if not isinstance(value, dict):
        return value
    ((kind, inner),) = value.items()
    if kind == "dict":
        return {_unpacked(k, opened, tensors): _unpacked(v, opened, tensors) for k, v in inner}
    if kind in ("list", "tuple"):
        items = [_unpacked(item, opened, tensors) for item in inner]
        return tuple(items) if kind == "tuple" else items
    if kind == "tensor":
        return tensors[inner]
    if kind in KINDS:
        return KINDS[kind].back(*(_unpacked(part, opened, tensors) for part in inner))
    data = opened.read(inner)
    if kind == "bytes":
        return data
    array = np.load(io.BytesIO(data), allow_pickle=False)
    return array[()] if kind == "scalar" else array

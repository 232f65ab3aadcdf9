"""What a function saves of a trial, packed into a file that runs no code when it is read.

A zip with ``state.json``, which has the containers, numbers and text; each NumPy array is an .npy
beside it, and tensors are in ``tensors.pt``, which torch loads with ``weights_only``. torch is
imported only for a state with tensors.
"""

import io
import json
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from autolr.atomic import write_atomically
from autolr.errors import ConfigError
from autolr.objective.state_kinds import kind_of, plainly

STATE, TENSORS = "state.json", "tensors.pt"
_KINDS = "tensors, arrays, numbers, text, bytes, None, or dicts, lists and tuples of them"


class Packed:
    """A state as the bytes of its parts, taken when it is made: what changes later is not in it.

    Args:
        state: Tensors, NumPy arrays, numbers, text, bytes, None, dicts, lists and tuples, and what
            `state_kinds` has.

    Raises:
        ConfigError: If something else is in it, of a subclass too: a trial that is promoted would
            get another value than one that is not. The message says where.
    """

    def __init__(self, state: object) -> None:
        self._files: dict[str, bytes] = {}
        self._tensors: list[Any] = []
        self._tree = self._packed(state, "state")
        if self._tensors:
            import torch  # here: who saves tensors has imported it

            buffer = io.BytesIO()
            torch.save(self._tensors, buffer)
            self._files[TENSORS] = buffer.getvalue()
        self._tensors = []

    def write(self, file: Path, notes: Mapping[str, Any]) -> None:
        """Write it whole or not at all.

        Args:
            file: Where to.
            notes: Plain JSON that is kept with it.
        """
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as opened:
            opened.writestr(STATE, json.dumps({"notes": dict(notes), "state": self._tree}))
            for name, data in self._files.items():
                opened.writestr(name, data)
        write_atomically(file, buffer.getvalue())

    def _packed(self, value: Any, where: str) -> Any:
        kind = type(value)
        if value is None or kind in (bool, int, float, str):
            return value
        if kind is dict:
            pairs = [
                [self._packed(k, f"a key of {where}"), self._packed(v, f"{where}[{k!r}]")]
                for k, v in value.items()
            ]
            return {"dict": pairs}
        if kind in (list, tuple):
            items = [self._packed(v, f"{where}[{i}]") for i, v in enumerate(value)]
            return {kind.__name__: items}
        kept = kind_of(value)
        if kept is not None and (parts := kept.parts(value)) is not None:
            content, rest = parts
            return {kept.name: [self._packed(content, where), self._packed(rest, where)]}
        return self._packed_data(value, where)

    def _packed_data(self, value: Any, where: str) -> dict[str, Any]:
        torch, kind = sys.modules.get("torch"), type(value)
        if torch is not None and kind in (torch.Tensor, torch.nn.Parameter):
            self._tensors.append(_copied(value))
            return {"tensor": len(self._tensors) - 1}
        if kind is bytes:
            return {"bytes": self._added(value)}
        data = kind is np.ndarray or isinstance(value, np.generic)
        if data and not value.dtype.hasobject:
            buffer = io.BytesIO()
            np.save(buffer, value, allow_pickle=False)
            name = "array" if kind is np.ndarray else "scalar"
            return {name: self._added(buffer.getvalue())}
        if not data and (call := plainly(value)) is not None:
            raise ConfigError(
                f"trial.save(state): {where} is of the class {kind.__qualname__}, which a saved "
                f"state cannot keep: save {call}(...) or pickle.dumps(...) of it"
            )
        raise ConfigError.of(f"trial.save(state): {where}", value, _KINDS)

    def _added(self, data: bytes) -> str:
        name = f"{len(self._files)}.bin"
        self._files[name] = data
        return name


def _copied(tensor: Any) -> Any:
    """Return a tensor on the CPU with memory of its own: a view would bring its whole."""
    copy = tensor.detach().cpu().clone()
    wanted = tensor.requires_grad and tensor.is_leaf  # of others it follows from the computation
    return (
        type(tensor)(copy, wanted)
        if type(tensor) is not type(copy)
        else copy.requires_grad_(wanted)
    )

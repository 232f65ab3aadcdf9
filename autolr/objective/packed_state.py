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

STATE, TENSORS = "state.json", "tensors.pt"
_KINDS = "tensors, arrays, numbers, text, bytes, None, or dicts, lists and tuples of them"


class Packed:
    """A state as the bytes of its parts, taken when it is made: what changes later is not in it.

    Args:
        state: Tensors, NumPy arrays, numbers, text, bytes, None, and dicts, lists and tuples.

    Raises:
        ConfigError: If something else is in it; the message says where.
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
        if value is None or isinstance(value, bool | str):
            return value
        if isinstance(value, int | float):  # NumPy's float64 is one
            return int(value) if isinstance(value, int) else float(value)
        if isinstance(value, dict):
            pairs = [
                [self._packed(k, f"a key of {where}"), self._packed(v, f"{where}[{k!r}]")]
                for k, v in value.items()
            ]
            return {"dict": pairs}
        if isinstance(value, list | tuple):
            kind = "tuple" if isinstance(value, tuple) else "list"
            return {kind: [self._packed(v, f"{where}[{i}]") for i, v in enumerate(value)]}
        return self._packed_data(value, where)

    def _packed_data(self, value: Any, where: str) -> dict[str, Any]:
        torch = sys.modules.get("torch")
        if torch is not None and isinstance(value, torch.Tensor):
            self._tensors.append(value.detach().cpu().clone())  # a view would bring its whole
            return {"tensor": len(self._tensors) - 1}
        if isinstance(value, bytes):
            return {"bytes": self._added(value)}
        if isinstance(value, np.ndarray | np.generic) and not value.dtype.hasobject:
            buffer = io.BytesIO()
            np.save(buffer, value, allow_pickle=False)
            kind = "scalar" if isinstance(value, np.generic) else "array"
            return {kind: self._added(buffer.getvalue())}
        raise ConfigError.of(f"trial.save(state): {where}", value, _KINDS)

    def _added(self, data: bytes) -> str:
        name = f"{len(self._files)}.bin"
        self._files[name] = data
        return name

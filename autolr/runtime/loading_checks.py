"""Checks that a checkpoint can be loaded again, before it is written."""

import io
import pickle
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from autolr.errors import ConfigError
from autolr.runtime.loading import not_allowed


def check_kept(kept: Any, what: str) -> None:
    """Refuse what could be written into a checkpoint and not be loaded again.

    Args:
        kept: The file of a checkpoint, or a value that one will hold.
        what: What it is, to be named.

    Raises:
        ConfigError: With what `allowing` needs.
    """
    file: Any = kept
    if not isinstance(kept, Path):
        file = io.BytesIO()
        try:
            torch.save(kept, file)
        except (pickle.PicklingError, AttributeError, TypeError):  # it is not written at all
            return
        file.seek(0)
    names = not_allowed(file)
    if names:
        raise _to_be_named(what, names)
    with suppress(AttributeError):
        file.seek(0)
    try:  # what is behind the names is seen only as it is loaded
        torch.load(file, map_location="cpu", mmap=file is kept, weights_only=True)
    except pickle.UnpicklingError as error:
        raise _not_loaded(what, " ".join(str(error).split())) from None


def _to_be_named(what: str, names: Sequence[str]) -> ConfigError:
    listed = ", ".join(names)
    return ConfigError(
        f"{what} holds {listed}, and loading that may run code; where you trust it, add it under "
        f"tune: safe_globals: [{listed}]"
    )


def _not_loaded(what: str, message: str) -> ConfigError:
    reason = message.partition("WeightsUnpickler error: ")[2].partition(" Check the doc")[0]
    *_, name = re.findall("<class '([^']+)'>", reason) or [""]
    if name and reason.startswith("Can only build"):
        return _to_be_named(what, [name])
    return ConfigError(
        f"{what} holds {name or 'something'} that torch does not load safely ({reason}): keep it "
        "as plain lists and dicts, or write tune.pruner: {name: hyperband, pause: false}"
    )

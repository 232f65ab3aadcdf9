"""The format of what a checkpoint holds of a search under way."""

from collections.abc import Mapping
from typing import Any

from autolr.errors import UnsupportedError

FORMAT = 4
"""Of what a checkpoint holds of a search under way; version 0.1 wrote no such number."""


def check_format(stored: Mapping[str, Any]) -> None:
    """Refuse what another version of autolr has stored of a search under way.

    Raises:
        UnsupportedError: If so.
    """
    if stored.get("format") != FORMAT:
        raise UnsupportedError(
            "the checkpoint holds a search under way of another version of autolr, which cannot be "
            "resumed: finish it with that version, or fit from the start"
        )

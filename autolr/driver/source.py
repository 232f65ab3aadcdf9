"""What `tune` is given, a config or a Python function, as a config."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from autolr.config import FUNCTION, OBJECTIVE
from autolr.errors import ConfigError
from autolr.objective import given, path_of
from autolr.strict_yaml import Source

if TYPE_CHECKING:
    from autolr.objective import Trial

_MONITOR = "score"  # the name of what a function returns, where the user gives none


class Origin(NamedTuple):
    """A config, and the folder that its paths are relative to; None: as `read_config` has it."""

    config: Source
    folder: Path | None


@contextmanager
def origin_of(tuned: "Source | Callable[[Trial], Any]", max_steps: int | None) -> Iterator[Origin]:
    """Yield the config of what is tuned; in the block, a function is known by its path.

    Args:
        tuned: A config, or a function.
        max_steps: Steps of a whole run of a function; None: 1.

    Raises:
        ConfigError: If the function cannot be called with a trial, or there is no function and
            ``max_steps`` is given.
    """
    if isinstance(tuned, str | Path | Mapping):
        if max_steps is not None:
            raise ConfigError(
                f"max_steps {max_steps} is for a Python function; the config says how long a run is"
            )
        yield Origin(tuned, None)
        return
    path, folder = path_of(tuned)
    section: dict[str, Any] = {FUNCTION: path}
    section |= {} if max_steps is None else {"max_steps": max_steps}
    with given(path, tuned):
        yield Origin({OBJECTIVE: section, "tune": {"monitor": _MONITOR}}, folder)

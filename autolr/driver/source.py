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
def origin_of(
    tuned: "Source | Callable[[Trial], Any]", max_steps: int | None, seed: int | None
) -> Iterator[Origin]:
    """Yield the config of what is tuned; in the block, a function is known by its path.

    Args:
        tuned: A config, or a function.
        max_steps: Steps of a whole run of a function; None: 1.
        seed: Of a function's study; None: 0.

    Raises:
        ConfigError: If the function cannot be called with a trial, or there is no function and
            ``max_steps`` or ``seed`` is given.
    """
    if isinstance(tuned, str | Path | Mapping):
        for name, value, instead in (
            ("max_steps", max_steps, "says how long a run is"),
            ("seed", seed, "has seed_everything"),
        ):
            if value is not None:
                raise ConfigError(f"{name} {value!r} is for a Python function; a config {instead}")
        yield Origin(tuned, None)
        return
    path, folder = path_of(tuned)
    section: dict[str, Any] = {FUNCTION: path}
    section |= {} if max_steps is None else {"max_steps": max_steps}
    with given(path, tuned):
        seeded = {} if seed is None else {"seed_everything": seed}
        yield Origin({**seeded, OBJECTIVE: section, "tune": {"monitor": _MONITOR}}, folder)

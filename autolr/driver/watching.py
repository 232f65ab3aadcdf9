"""A study on the screen of another process, again and again while it is worked on."""

import time
from collections.abc import Iterator

from autolr import report, study

_EVERY = 2.0  # seconds between two looks at the storage


def watch(storage: str, name: str, every: float = _EVERY) -> Iterator[list[object]]:
    """Yield what there is to see of a study, anew each time it has changed.

    It ends when no driver works on the study: at once, or after the last state.

    Args:
        storage: The URL of its storage.
        name: The study.
        every: Seconds between two looks.

    Raises:
        ConfigError: If there is no such study.
        StorageError: If the storage cannot be read.
    """
    seen = None
    while True:
        found = study.look(storage, name)
        driver = study.holder(found)
        state = (driver is None, repr(found.trials))  # (text: a score may be NaN)
        if state != seen:
            yield list(report.study_parts(found))
        if driver is None:
            return
        seen = state
        time.sleep(every)

"""The scores of a trial in a file, from which the study's page draws its curve."""

import json
from collections.abc import Mapping
from pathlib import Path


class ScoreLog:
    """Appends scores to a file with a line of JSON each, begun anew by each job of the trial.

    Args:
        file: Where to; its folder is created.
        monitor: The name of the score.
    """

    def __init__(self, file: Path, monitor: str) -> None:
        self._file = file
        self._monitor = monitor
        self._begun = False

    def write(self, scores: Mapping[int, float]) -> None:
        """Write the last score; the first time, those before it too.

        Args:
            scores: By steps made so far, from the trial's start.
        """
        lines = list(scores.items())[-1 if self._begun else 0 :]
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.open("a" if self._begun else "w") as opened:
            for step, score in lines:  # as loggers number it, step k is the one after k others
                opened.write(json.dumps({"step": step - 1, self._monitor: score}) + "\n")
        self._begun = True

"""Whose folder of results it is: two studies in one would mix their checkpoints."""

import json
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path

from autolr.atomic import has_text, write_atomically
from autolr.errors import StorageError
from autolr.storage_url import shown
from autolr.study import ID, Summary, locate
from autolr.tune_config import TuneConfig

_FILE = "study.json"
_ELSEWHERE = "give another {out}"


@dataclass(frozen=True, slots=True)
class ResultsFolder:
    """A study as its folder of results names it.

    Attributes:
        study: Its name.
        storage: Its URL for people; of an SQLite file with the absolute path.
        id: Kept with the study, so that it is known by another name or in another place.
    """

    study: str
    storage: str
    id: str

    @classmethod
    def of(cls, tune: TuneConfig, stored: Summary | None) -> "ResultsFolder":
        """Return the owner that a study is; it has an id of its own from the first time on.

        Args:
            tune: The settings of the study.
            stored: The study as its storage has it; None if it is new.
        """
        known = None if stored is None else stored.attrs.get(ID)
        return cls(tune.study, locate(tune.storage).place, known or uuid.uuid4().hex)

    def check(self, folder: Path) -> None:
        """Pass a folder that is this study's or no study's.

        Raises:
            StorageError: If it belongs to another study.
        """
        other = _read(folder)
        if other is None or other.id == self.id:
            return
        if (other.study, other.storage) != (self.study, self.storage):  # else it was begun anew
            raise StorageError(
                f"out {folder} holds the results of study {other.study!r} in "
                f"{shown(other.storage)}",
                _ELSEWHERE,
            )

    def claim(self, folder: Path) -> None:
        """Check the folder and make it this study's; it is created.

        Raises:
            StorageError: As `check`.
        """
        self.check(folder)
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(asdict(self), indent=1) + "\n"
        if not has_text(folder / _FILE, text):
            write_atomically(folder / _FILE, text)


def _read(folder: Path) -> ResultsFolder | None:
    file = folder / _FILE
    if not folder.is_dir():  # (false for links in a circle, too)
        return None
    try:
        return ResultsFolder(**json.loads(file.read_text("utf-8")))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, TypeError):
        raise StorageError(f"{file} does not say whose results these are", _ELSEWHERE) from None

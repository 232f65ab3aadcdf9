"""Every error that autolr raises on purpose.

AutoLRError                 base class; the command line exits with its `exit_status`
├── ConfigError             a value from the user cannot work (also a ValueError)    exit 2
│   ├── SpaceError          a search space is missing or malformed                   exit 2
│   ├── MonitorError        validation does not log the metric that is monitored     exit 2
│   └── UnsupportedError    a set-up that autolr does not support                    exit 2
├── UserCodeError           the model or the data raised                             exit 1
│   ├── SetupError          they raised before the first step of a run               exit 1
│   ├── AgreedError         they raised in one process, and all raise that           exit 1
│   └── PartedError         they raised in one process while others waited for it    exit 1
├── DivergedError           the loss became NaN or infinite                          exit 1
├── InterruptedRunError     a signal ended a run                                     exit 128 + it
└── StorageError            the study's storage is damaged, full or out of reach     exit 4
    ├── StorageBusyError    another process holds the study                          exit 4
    └── StudyMismatchError  the stored study was made with other settings            exit 4
"""

import difflib
from collections.abc import Iterable, Mapping, Sequence

from typing_extensions import override

from autolr.quoting import quoted

_ARGUMENTS = {  # of `autolr.tune`
    "study": 'study="NAME"',
    "fresh": "fresh=True",
    "out": 'out="FOLDER"',
    "storage": 'storage="URL"',
}
_OPTIONS = {  # of the command
    "study": "--study NAME",
    "fresh": "--fresh",
    "out": "--out FOLDER",
    "storage": "--storage URL",
}


class AutoLRError(Exception):
    """Base class: ``except AutoLRError`` catches all of autolr's own errors.

    Args:
        message: What is wrong.
        advice: What the user may set instead, with the names of arguments in braces: Python's users
            read them as arguments of `autolr.tune`, those of the command as its options.

    >>> error = AutoLRError("it is in use", "give another {study}")
    >>> str(error), error.for_command()
    ('it is in use; give another study="NAME"', 'it is in use; give another --study NAME')
    """

    exit_status: int = 1

    def __init__(self, message: str = "", advice: str | None = None) -> None:
        super().__init__(*((message,) if advice is None else (message, advice)))
        self.message = message
        self.advice = advice

    @override
    def __str__(self) -> str:
        return self._text(_ARGUMENTS)

    def for_command(self) -> str:
        """Return the text for a user of the command line."""
        return self._text(_OPTIONS)

    def _text(self, spellings: Mapping[str, str]) -> str:
        if self.advice is None:
            return self.message
        return f"{self.message}; {self.advice.format_map(spellings)}"


class ConfigError(AutoLRError, ValueError):
    """A setting has a value that cannot work."""

    exit_status: int = 2

    @classmethod
    def of(cls, name: str, got: object, expected: str) -> "ConfigError":
        """Return the error for a setting: its value and what would work.

        Args:
            name: The setting, with its path in the config.
            got: Its value.
            expected: What would work, as the end of "must be ...".
        """
        return cls(f"{name} must be {expected}, got {quoted(got)}")


class SpaceError(ConfigError):
    """A search space is missing or malformed."""


class MonitorError(ConfigError):
    """Validation does not log the metric of the setting ``monitor``, with which the text begins."""


class UnsupportedError(ConfigError):
    """The set-up is valid, but autolr does not support it."""


class UserCodeError(AutoLRError):
    """The user's model or data raised; ``__cause__`` has the traceback."""


class SetupError(UserCodeError):
    """The user's model or data raised before the first step, so a second attempt cannot help."""


class AgreedError(UserCodeError):
    """They raised in one of several processes, and all of them raise this in its place."""


class PartedError(UserCodeError):
    """They raised in one process while others waited for it: the run can only end."""


class DivergedError(AutoLRError):
    """The loss became NaN or infinite."""


class InterruptedRunError(AutoLRError):
    """A signal ended a run.

    Args:
        message: Where the run was, and what is left of it.
        signum: The signal.

    >>> InterruptedRunError("interrupted", 15).exit_status
    143
    """

    def __init__(self, message: str, signum: int) -> None:
        super().__init__(message)
        self.exit_status = 128 + signum


class StorageError(AutoLRError):
    """The storage of a study is damaged, full or out of reach."""

    exit_status: int = 4


class StorageBusyError(StorageError):
    """Another process has the lock of the study."""

    @classmethod
    def of(cls, study: str, place: str, holder: object) -> "StorageBusyError":
        """Return the error for a study that is in use.

        Args:
            study: Its name.
            place: Its storage, as it is shown.
            holder: The process that uses it, in words.
        """
        return cls(
            f"study {study!r} in {place} is in use by {holder}",
            "wait for it, end it, or give another {study}",
        )


class StudyMismatchError(StorageError):
    """The stored study was made with another config, space or seed."""


def unknown_name(kind: str, got: object, known: Iterable[object]) -> str:
    """Return the message for an unknown name; it suggests the nearest known one.

    Args:
        kind: What is named, such as "profile".
        got: The unknown name.
        known: The names that exist.

    >>> unknown_name("profile", "cosin", ["linear", "cosine"])
    "unknown profile 'cosin'; did you mean 'cosine'? It must be one of: linear, cosine"
    >>> unknown_name("setting", "width", [])
    "unknown setting 'width'; there is none"
    """
    names = [str(name) for name in known]
    if not names:
        return f"unknown {kind} {quoted(got)}; there is none"
    near = nearest(got, names)
    hint = "it" if near is None else f"did you mean {near!r}? It"
    return f"unknown {kind} {quoted(got)}; {hint} must be one of: {', '.join(names)}"


def nearest(got: object, known: Sequence[str]) -> str | None:
    """Return the known name that ``got`` may be a misspelling of; None if none is similar.

    Args:
        got: A name from the user.
        known: The names that exist.

    >>> nearest("val_lss", ["train_loss", "val_loss"]), nearest("x", ["val_loss"])
    ('val_loss', None)
    """
    return next(iter(difflib.get_close_matches(str(got), known, n=1)), None)

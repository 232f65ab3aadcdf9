"""The installed packages, and whether autolr supports their versions."""

import platform
import re
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

import autolr
from autolr.doctor.finding import Finding

_SHOWN = ("torch", "lightning", "pytorch-lightning", "optuna")
_OLDEST = (3, 11)  # as `requires-python` has it
_NAMESPACES = {"lightning": "lightning.pytorch", "pytorch_lightning": "pytorch_lightning"}


def installation() -> Iterator[Finding]:
    """Yield the versions of Python, of autolr and of what it needs."""
    supported = sys.version_info >= _OLDEST
    needed = "" if supported else f"; autolr needs {'.'.join(map(str, _OLDEST))} or newer"
    text = f"{platform.python_version()} on {platform.system()}{needed}"
    yield Finding("python", text, "ok" if supported else "wrong")
    yield Finding("autolr", f"{autolr.__version__} in {Path(autolr.__file__).parent}")
    try:
        lines = requires("lightning-autolr") or []
    except PackageNotFoundError:
        yield Finding("autolr", "is not installed, only on Python's path", "note")
        lines = []
    yield from packages(lines)
    yield _namespaces()


def packages(lines: Sequence[str]) -> Iterator[Finding]:
    """Yield the main packages, and every other one whose version autolr does not support.

    Args:
        lines: Requirements, as a package's metadata has them. Those of extras are left out: what
            is missing of them is named when it is used.
    """
    for line in lines:
        requirement = _requirement(line)
        if requirement is None:
            continue
        try:
            found = version(requirement.name)
        except PackageNotFoundError:
            yield Finding(requirement.name, _instead("is not installed", requirement), "wrong")
            continue
        if not requirement.specifier.contains(found, prereleases=True):
            yield Finding(requirement.name, _instead(found, requirement), "wrong")
        elif requirement.name in _SHOWN:
            yield Finding(requirement.name, found)


def _requirement(line: str) -> Requirement | None:
    if re.search(r"\bextra\b", line.partition(";")[2]):
        return None
    try:
        return Requirement(line)
    except InvalidRequirement:
        return None


def _instead(found: str, requirement: Requirement) -> str:
    wanted = f"{requirement.name}{requirement.specifier}"
    return f"{found}; autolr supports {requirement.specifier}: pip install '{wanted}'"


def _namespaces() -> Finding:
    there = [shown for name, shown in _NAMESPACES.items() if find_spec(name) is not None]
    if not there:
        return Finding("namespaces", "neither lightning nor pytorch_lightning", "wrong")
    both = ": a callback is of the one that your code imports" if len(there) > 1 else ""
    return Finding("namespaces", f"{' and '.join(there)}{both}")

"""The environment of a project: a venv of its own, with exactly what its file of pins names."""

import hashlib
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]  # the checkout; workers import autolr from it
_BIN, _PYTHON = ("Scripts", "python.exe") if sys.platform == "win32" else ("bin", "python")
_DONE = "requirements.sha256"  # in a venv: the hash of what was installed there


def pins(requirements: Path) -> dict[str, str]:
    """Return the version of each package that a file of requirements pins.

    Raises:
        ValueError: If a line is no exact pin.
    """
    lines = (line.partition("#")[0].strip() for line in requirements.read_text().splitlines())
    found = {}
    for line in filter(None, lines):
        name, pinned, version = line.partition("==")
        if not pinned or not version or not name:
            raise ValueError(f"{requirements.name}: must be NAME==VERSION, got {line!r}")
        found[canonical(name)] = version
    return found


def canonical(name: str) -> str:
    """Return a package's name as it is compared: lower case, with ``-``."""
    return name.strip().lower().replace("_", "-").replace(".", "-")


def constraints(lines: Sequence[str], pinned: Sequence[str]) -> list[str]:
    """Return the project's constraints without those that an environment pins otherwise.

    Args:
        lines: The lines of ``constraints.txt``.
        pinned: Names of packages that the environment pins itself.
    """
    own = {canonical(name) for name in pinned}
    return [line for line in lines if canonical(line.partition("==")[0]) not in own]


def python_of(requirements: Path, folder: Path) -> Path:
    """Return the Python of an environment, which is made, or brought up to date, if it is not yet.

    Args:
        requirements: Its pins.
        folder: Where environments are kept.

    Raises:
        subprocess.CalledProcessError: If pip fails; it has said why.
    """
    home = folder.absolute() / requirements.stem
    python = home / _BIN / _PYTHON
    wanted = hashlib.sha256(requirements.read_bytes()).hexdigest()
    done = home / _DONE
    if done.exists() and done.read_text() == wanted:
        return python
    if not python.exists():
        venv.create(home, with_pip=True)
    limits = home / "constraints.txt"
    common = (ROOT / "constraints.txt").read_text().splitlines()
    limits.write_text("\n".join(constraints(common, list(pins(requirements)))) + "\n")
    pip = [str(python), "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, "-c", str(limits), "-r", str(requirements)], check=True)
    done.write_text(wanted)
    return python

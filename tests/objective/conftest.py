"""The working folder of a project."""

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.objective.own_project import PROJECT


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the project's module; the working folder is its own."""
    (tmp_path / "own_project.py").write_text(PROJECT)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "own_project", raising=False)
    return importlib.import_module("own_project")

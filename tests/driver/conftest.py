"""What tests of several files begin with."""

from pathlib import Path
from typing import Any

import pytest

from tests.driver.mean_of_ones import config_in


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return the config of a small study in the folder of the test, which is the present one."""
    monkeypatch.chdir(tmp_path)
    return config_in(tmp_path)

"""Rules and profiles that the modules of a config's model and data register."""

import subprocess
import sys
from pathlib import Path

import pytest

from autolr.config import read_config
from autolr.driver.wire import from_json, to_json
from autolr.errors import ConfigError
from autolr.space import Choice

MODULE = """
from autolr.schedules import profile
from autolr.settings import Array, Share

@profile
def users_profile(k: Array, n: float, lowest: Share = 0.5) -> Array:
    return lowest + (1 - lowest) * (1 - k / n)

class Net: ...
"""
CONFIG = """
model: {{class_path: {module}.Net}}
tune:
  space: {{lr: 0.1, schedule: [linear, {profile}]}}
"""
# In a process of its own, where no module of the user has been imported yet.
READ_MESSAGE = """
import sys
from autolr.driver.messages import ToWorker
from autolr.driver.wire import from_json
from autolr.schedules import parse
from autolr.space import Choice
from_json(sys.stdin.buffer.read(), ToWorker)
print(parse("users_profile"))
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from autolr.schedules import registry

    monkeypatch.setattr(registry, "_ENTRIES", dict(registry._ENTRIES))
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "users_module.py").write_text(MODULE)
    (tmp_path / "broken_module.py").write_text("raise ValueError('no data here')")
    yield lambda **names: _written(tmp_path / "config.yaml", **names)
    sys.modules.pop("users_module", None)


def _written(file: Path, module: str = "users_module", profile: str = "users_profile") -> Path:
    file.write_text(CONFIG.format(module=module, profile=profile))
    return file


def test_a_space_may_name_what_they_register(config):
    space = read_config(config()).space
    assert space.domains["schedule"] == Choice(("linear", "users_profile"))


def test_they_are_left_alone_where_all_names_are_known(config):
    read_config(config(profile="cosine"))
    assert "users_module" not in sys.modules


def test_a_name_that_none_registers_is_refused_in_one_line(config):
    with pytest.raises(ConfigError, match="unknown schedule 'users_profil'; did you mean") as error:
        read_config(config(profile="users_profil"))
    assert "\n" not in str(error.value)


def test_a_module_that_raises_is_named(config):
    with pytest.raises(ConfigError, match="cannot import broken_module: ValueError: no data here"):
        read_config(config(module="broken_module"))


@pytest.mark.slow
def test_a_worker_imports_them_before_it_reads_a_candidate(config, tmp_path: Path):
    from autolr.driver.messages import CheckConfig, ToWorker

    message = to_json(CheckConfig(read_config(config()), tmp_path))
    assert from_json(message, ToWorker)
    command = [sys.executable, "-c", READ_MESSAGE]
    done = subprocess.run(command, input=message, capture_output=True, check=False)
    assert done.stdout.decode() == "users_profile()\n", done.stderr.decode()


@pytest.mark.slow
def test_a_script_that_is_running_is_not_run_again_for_its_names(tmp_path: Path):
    (tmp_path / "script.py").write_text(
        "import autolr\n"
        "print('begun')\n"
        "def objective(trial):\n"
        "    return 0.0\n"
        "space = {'lr': {'low': 0.1, 'high': 1.0}, 'schedule': ['cosin', 'linear']}\n"
        "autolr.tune(objective, space, mode='min', max_steps=3, trials=1)\n"
    )
    command = [sys.executable, "script.py"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "unknown schedule 'cosin'" in ended.stderr
    assert ended.stdout.count("begun") == 1

"""Every command of the README, the documents and the examples runs as it stands, only shorter."""
# mypy: allow-untyped-calls

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from autolr.arguments import parser as _parser
from tests.end_to_end.blocks import BLOCKS, ROOT, Block, named

SHELL = [block for block in BLOCKS if block.language == "bash"]
SETS_UP = ("pip", "pre-commit", "pytest", "venv")  # `.ci/run` does it, or a developer
SHELLS_OWN = ("[", "wait")
_QUICK = ["--methods", "sgd"]
# What makes a command of an example short: more arguments, or other constants in its source.
SHORTER: dict[str, list[str]] = {
    "examples.papers.anytime_hyperband": [],
    "examples.papers.equal_steps": ["--stored"],
    "examples.papers.merged_checkpoints --stored": [],
    "examples.papers.range_test": ["--workloads", "logreg_digits"],
    "examples.papers.refined_schedules --workloads": ["--seeds", "0"],
    "examples.papers.small_budgets": ["--workloads", "logreg_digits", "--budgets", "0.01"],
    "examples.papers.size_rules": ["--rules", "width"],
    "examples.papers.transfer_of_peaks": ["--stored"],
    "examples.papers.transfer_of_peaks --stored": [],
    # the words are read, and no more: its environments take gigabytes
    "examples.real_projects --projects": ["--help"],
    "examples.rules --jobs": ["--methods", "fixed", "--workloads", "logreg_digits"],
    "examples.rules --methods": [],
    "examples.rules.overhead": ["fixed", "--repetitions", "1"],
    "examples.time_to_target": [*_QUICK, "--seeds", "1", "--workloads", "logreg_digits"],
    "examples.time_to_target --seeds": _QUICK,
    "examples.time_to_target --workloads": [
        *("--workloads", "parity", "--methods", "default", "--seeds", "1"),
    ],
    "examples.time_to_target.forecasts": ["--stored"],
    "examples.time_to_target.joint.random_runs": ["--runs", "1"],
    "examples.time_to_target.micro": [],
    "examples.time_to_target.peers --help": [],
    "examples.time_to_target.policies": [
        *("--policies", "default", "--workloads", "logreg_digits", "--seeds", "0"),
    ],
    "examples.time_to_target.priors": ["--workloads", "logreg_digits", "--seeds", "0"],
    "examples.time_to_target.repeatability": ["--seeds", "1"],
    "examples.time_to_target.oracle": ["--workloads", "logreg_digits", "--scale", "0.1"],
}
CONSTANTS = {
    "papers/size_rules.py": {"_OCTAVES = 5": "_OCTAVES = 1"},
    "time_to_target/micro.py": {
        "_SIZES = (10**5, 10**6, 10**7)": "_SIZES = (10**5,)",
        "_REPETITIONS = 12": "_REPETITIONS = 1",
        "_STEPS = 30": "_STEPS = 3",
    },
    "time_to_target/repeatability.py": {
        "_ORACLE_SEEDS = (0, 1, 2)": "_ORACLE_SEEDS = (0,)",
        "steps=2_000,": "steps=200,",
    },
}


def module_of(words: list[str]) -> str | None:
    """Return the module that a command runs with ``python -m``."""
    runs = len(words) > 2 and words[:2] == ["python", "-m"]
    return words[2] if runs else None


@named(SHELL)
def test_each_command_of_a_shell_block_exists(block: Block) -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for words in block.commands:
        words = words[1:] if words[0] == "srun" else words
        if (module := module_of(words)) is not None:
            assert importlib.util.find_spec(module) is not None, words
            assert key_of(words) in SHORTER, f"no test runs {words}"
        elif Path(words[0]).name == "autolr":
            parsed = _parser().parse_args(words[1:])
            assert parsed.subcommand is not None
        else:
            own = Path(words[0]).name in (*SETS_UP, *SHELLS_OWN) or words[1:3] == ["-m", "venv"]
            assert own, f"no test runs {words}"
        for wanted in re.findall(r"\[([a-z,]+)\]$", words[-1]):
            assert set(wanted.split(",")) <= extras["optional-dependencies"].keys()


def key_of(words: list[str]) -> str:
    """Return the name of a command in SHORTER: its module and its first option."""
    return " ".join([*words[2:3], *[word for word in words[3:] if word.startswith("--")][:1]])


def test_the_blocks_that_ci_runs_are_marked() -> None:
    marks = re.findall(
        r"^<!-- command: (\w+) -->\n```bash$", (ROOT / "README.md").read_text(), re.M
    )
    assert marks == ["main", "tests"]
    script = (ROOT / ".ci/run").read_text()
    assert all(f"readme_command {mark} |" in script for mark in marks)


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [words for block in SHELL for words in block.commands if module_of(words)],
    ids=lambda words: " ".join(words[2:]),
)
def test_commands_of_the_examples_run(words: list[str], tmp_path: Path) -> None:
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    for file, changes in CONSTANTS.items():
        source = tmp_path / "examples" / file
        text = source.read_text()
        for old, new in changes.items():
            assert text.count(f"{old}\n") + text.count(f"{old}  #") == 1, old
            text = text.replace(old, new)
        source.write_text(text)
    done = subprocess.run(
        [sys.executable, *words[1:], *SHORTER[key_of(words)]],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout


@pytest.mark.slow
def test_the_job_array_trains_a_study(project: Any) -> None:
    """On one machine: srun starts its command here, and this is the first job of the array."""
    (block,) = (block for block in SHELL if "#SBATCH" in block.text)
    bin_of_node = project.folder / "bin"
    bin_of_node.mkdir()
    (bin_of_node / "srun").write_text('#!/bin/sh\nexec "$@"\n')
    (bin_of_node / "autolr").write_text(f'#!/bin/sh\nexec {sys.executable} -m autolr "$@"\n')
    for program in bin_of_node.iterdir():
        program.chmod(0o755)
    path = os.pathsep.join([str(bin_of_node), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-c", block.text],
        cwd=project.folder,
        env={**os.environ, "SLURM_ARRAY_TASK_ID": "0", "PATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "study 'line' is complete: 4 of 4 trials finished" in done.stdout

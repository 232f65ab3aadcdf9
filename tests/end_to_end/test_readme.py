"""Every block of the README, the documents and examples runs as it stands, only shorter."""
# mypy: allow-untyped-calls

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import yaml
from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader, TensorDataset

import autolr
from autolr import callbacks, schedules
from autolr.arguments import parser as _parser
from autolr.cli import _COMMANDS
from autolr.online import Annealed
from tests.end_to_end.blocks import FILES, ROOT, Block, blocks, inline

BLOCKS = list(blocks())
SHELL = [block for block in BLOCKS if block.language == "bash"]
USAGE = [block for block in BLOCKS if block.language == ""]
DIGITS = ROOT / "examples/digits"
NOTEBOOK = "docs/tutorial.md"  # its Python is one program: tests/examples/test_tutorial.py runs it
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


def named(actual: list[Block]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("block", actual, ids=[block.name for block in actual])


def module_of(words: list[str]) -> str | None:
    """Return the module that a command runs with ``python -m``."""
    runs = len(words) > 2 and words[:2] == ["python", "-m"]
    return words[2] if runs else None


def test_every_block_is_in_a_language_that_is_run_here() -> None:
    assert {block.language for block in BLOCKS} == {"python", "yaml", "bash", ""}
    assert {block.file for block in USAGE} == {"docs/command_line.md", NOTEBOOK}


def rows_of(text: str) -> list[list[str]]:
    """Return the cells of the tables in a text, their heads too."""
    lines = (line for line in text.splitlines() if line.startswith("| "))
    return [[cell.strip(" *`") for cell in line.strip("|").split("|")] for line in lines]


def test_the_table_of_the_readme_has_the_figures_of_the_benchmark() -> None:
    _, _, text = (ROOT / "README.md").read_text().partition("<!-- table: time_to_target -->\n")
    found = rows_of(text.partition("\n\n")[0])[1:]
    names = ["default", "lr_find", "schedulefree", "prodigy"]
    names += ["tpe_hyperband_5", "tpe_hyperband_10", "autolr"]
    results = (ROOT / "examples/time_to_target/README.md").read_text()
    measured = {row[0]: row for row in rows_of(results) if len(row) > 7}
    for (method, *figures), name in zip(found, names, strict=True):
        assert figures == [measured[name][1], measured[name][7]], method


def test_links_within_the_project_lead_somewhere() -> None:
    for file in FILES:
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", file.read_text("utf-8")):
            if "://" not in target:
                assert (file.parent / target).exists(), (file, target)


# --- Python


class Line(LightningModule):
    """A straight line through 64 points."""

    def __init__(self) -> None:
        super().__init__()
        self.net = torch.nn.Linear(3, 1)

    def forward(self, x: Any) -> Any:
        return self.net(x)

    def training_step(self, batch: Any) -> Any:
        return torch.nn.functional.mse_loss(self.net(batch[0]), batch[1])

    def validation_step(self, batch: Any) -> None:
        self.log("val_loss", self.training_step(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters())


class Points(LightningDataModule):
    """Those points."""

    def __init__(self) -> None:
        super().__init__()
        x = torch.randn(64, 3, generator=torch.Generator().manual_seed(0))
        self.points = TensorDataset(x, x.sum(1, keepdim=True))

    def train_dataloader(self) -> Any:
        return DataLoader(self.points, 8, shuffle=True)

    def val_dataloader(self) -> Any:
        return DataLoader(self.points, 64)


def names_of_a_reader(folder: Path) -> dict[str, Any]:
    """Return what the reader of a block has: a model, data, a loop, and Lightning's names."""
    module, data = Line(), Points()

    def trainer(**settings: Any) -> Trainer:
        quiet: dict[str, Any] = {"enable_progress_bar": False, "enable_model_summary": False}
        kept = {"default_root_dir": folder, "logger": False, "enable_checkpointing": False}
        return Trainer(**{"accelerator": "cpu", "max_epochs": 2, **quiet, **kept, **settings})

    def loss(model: Any, batch: Any) -> Any:
        return torch.nn.functional.mse_loss(model(batch[0]), batch[1])

    return {
        **{"autolr": autolr, "LambdaLR": LambdaLR, "Trainer": trainer},
        **{"model": module, "data": data, "loss": loss},
        "batches": data.train_dataloader(),
        "validate": lambda model: float(loss(model, data.points.tensors)),
        "optimizer": torch.optim.SGD(module.parameters(), lr=0.1),
        **{"step": 3, "total_steps": 10},
    }


@named([block for block in BLOCKS if block.language == "python" and block.file != NOTEBOOK])
def test_python_runs(block: Block, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    names = names_of_a_reader(tmp_path)
    exec(block.text.replace("total_steps=3000", "total_steps=300"), names)
    trainer = names.get("trainer")
    if trainer is not None and trainer.global_step == 0:  # the block leaves it to the reader
        trainer.fit(names["model"], datamodule=names["data"])
    for folder in re.findall(r'load_result\("(\w+)"\)', block.text):
        assert autolr.load_result(folder).peak == names["callback"].result.peak


def test_constructors_in_the_text_take_what_they_are_given(
    tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    reader = names_of_a_reader(tmp_path)
    earlier = callbacks.AutoLR(save_to="found")
    trainer = reader["Trainer"](max_epochs=20, callbacks=[earlier])
    trainer.fit(reader["model"], datamodule=reader["data"])
    actual = SimpleNamespace(peak=0.1, schedule=schedules.constant(), own_peak=0.2)
    actual.rule, actual.rule_settings = "sps_max", (("c", 1.0),)
    names = {**vars(callbacks), "Annealed": Annealed, "result": actual, "x": 0.1, "autolr": autolr}
    calls = [
        call for start in ("AutoLR(", "[ApplyRule(", "FollowCandidate(") for call in inline(start)
    ]
    assert len(calls) >= 6
    for _, call in calls:
        eval(call, names)


# --- YAML


def study_of(block: Block, folder: Path) -> Path:
    """Write a config of the digits with a block in its place, as it stands."""
    config = yaml.safe_load((DIGITS / "tune.yaml").read_text())
    shutil.copy(DIGITS / "digits.py", folder)
    config["trainer"]["max_epochs"] = 1
    if block.text.startswith("tune:"):
        section = yaml.safe_load(block.text)
        assert section.keys() == {"tune"}
        config |= section
    else:
        (folder / "space.yaml").write_text(block.text, "utf-8")
        config["tune"]["space"] = "space.yaml"
    file = folder / "block.yaml"
    file.write_text(yaml.safe_dump(config, sort_keys=False), "utf-8")
    return file


@named([block for block in BLOCKS if block.language == "yaml"])
def test_yaml_passes_the_check_before_a_study(block: Block, project: Any) -> None:
    file = study_of(block, project.folder)
    checked = project.run("tune", file.name, "--dry-run")
    assert (checked.status, checked.err) == (0, "")


@pytest.mark.parametrize(
    ("place", "setting"), [*inline("sampler: {"), *inline("sampler: QMC"), *inline("sampler: near")]
)
def test_a_sampler_in_the_text_passes_the_check_before_a_study(
    place: str, setting: str, project: Any
) -> None:
    shutil.copy(ROOT / "examples/extending/near_best_sampler.py", project.folder)
    space = {"lr": {"low": 0.1, "high": 1.0}}
    tune = {"space": space, "monitor": "val_loss", **yaml.safe_load(setting)}
    objective = {"class_path": "autolr.testing.counting.CountingObjective"}
    file = project.folder / "sampler.yaml"
    file.write_text(yaml.safe_dump({"objective": objective, "tune": tune}), "utf-8")
    checked = project.run("tune", file.name, "--dry-run")
    assert (checked.status, checked.err) == (0, "")


@pytest.mark.slow
@named([block for block in BLOCKS if block.language == "yaml"])
def test_yaml_trains(block: Block, project: Any) -> None:
    file = study_of(block, project.folder)
    finished = project.run("tune", file.name, "--trials", 4)
    assert (finished.status, finished.err) == (0, "")
    assert "4 of 4 trials finished" in finished.out


def test_the_sections_in_the_text_are_that_of_the_example() -> None:
    sections = [block for block in BLOCKS if block.text.startswith("tune:")]
    example = yaml.safe_load((DIGITS / "tune.yaml").read_text())
    assert {block.file for block in sections} == {"README.md", "docs/studies.md"}
    for section in sections:
        assert yaml.safe_load(section.text)["tune"] == example["tune"]


# --- shell


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


# --- the command line


def usage() -> dict[str, tuple[list[str], set[str]]]:
    """Return the positional arguments and the options of each command, as the text has them."""
    (block,) = (block for block in USAGE if block.file != NOTEBOOK)
    actual = {}
    for command, rest in re.findall(r"^autolr (\w+) (.*)$", re.sub(r"\n +", " ", block.text), re.M):
        written = rest.partition("    ")[0]  # what it does stands behind
        places = re.sub(r"\[--.*?\]|--\S+ \S+", "", written).split()
        options = set(re.findall(r"--[a-z-]+", written))
        actual[command] = ([place.lower() for place in places], options)
    return actual


def test_the_usage_in_the_text_is_that_of_the_parser() -> None:
    commands: Any = _parser()._subcommands_action
    real = {}
    for name, parser in commands.choices.items():
        actions = [action for action in parser._actions if action.dest != "help"]
        places = [
            f"[{action.dest}]" if action.nargs == "?" else action.dest
            for action in actions
            if not action.option_strings
        ]
        options = {option for action in actions for option in action.option_strings}
        real[name] = (places, options - {"--config", "--print_config"})
    assert usage() == real


def test_commands_in_the_text_are_parsed() -> None:
    commands = inline("autolr ")
    assert len(commands) >= 10
    for file, command in commands:
        name, *arguments = command.split()[1:]
        assert name in _COMMANDS, (file, command)
        if arguments:  # else the name alone stands for the command
            parsed = _parser().parse_args([name, *arguments])
            assert parsed.subcommand == name, (file, command)


def test_modules_in_the_text_exist() -> None:
    commands = inline("python -m ")
    assert len(commands) >= 10
    for file, command in commands:
        assert importlib.util.find_spec(command.split()[2]) is not None, (file, command)

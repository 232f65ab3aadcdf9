"""What an import loads, and what the package shows."""

import importlib
import subprocess
import sys
from functools import cache

import pytest

import autolr

PUBLIC = {
    "Annealed",
    "ApplyRule",
    "AutoLR",
    "AverageLastSteps",
    "FollowCandidate",
    "AutoLRError",
    "ConfigError",
    "ConsoleProgress",
    "DivergedError",
    "MergeCheckpoints",
    "RecordNorms",
    "Result",
    "Schedule",
    "StorageError",
    "TorchLearner",
    "Trial",
    "TuneResult",
    "Tuner",
    "load_result",
    "merge_checkpoints",
    "range_test",
    "schedules",
    "score_cooldowns",
    "search",
    "tune",
}


LIGHT = [
    "import autolr",
    "from autolr.arguments import parser; parser().format_help()",
    "import autolr.schedules, autolr.search_spaces, autolr.online, autolr.config, autolr.rules",
    "from autolr.cli import main; main(['rules']); main(['rules', 'prodigy'])",
    "import autolr.driver, autolr.report",
]
CALLBACKS = {  # a program, and the namespace that is in use after it
    "import autolr.callbacks": "lightning",
    "import pytorch_lightning, autolr.callbacks": "pytorch_lightning",
}
FITS = """
import pathlib, tempfile
config = pathlib.Path(tempfile.mkdtemp(), "best.yaml")
config.write_text("# Modules: .\\nmodel: {class_path: nowhere.Model}\\n")
from autolr.cli import main; assert main(['fit', str(config)]) == 2
"""
# most of what Lightning imports, and nothing of it: the programs share the two seconds
UNDER_LIGHTNING = "import torch._dynamo, torch.distributed.fsdp, torchmetrics"
FORKS = """
import os, sys
shared, *programs = sys.argv[1:]
exec(shared)
for program in programs:
    sys.stdout.flush()
    if (child := os.fork()) == 0:
        exec(program)
        print("\\nloaded", *sorted({name.partition(".")[0] for name in sys.modules}), flush=True)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0, program
"""


@cache
def modules_after(programs: tuple[str, ...], shared: str = "") -> dict[str, set[str]]:
    """Return the top-level modules that are loaded after each of some programs.

    Each runs in a process of its own, a fork of one that has run ``shared``.
    """
    command = [sys.executable, "-c", FORKS, shared, *programs]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    loaded = [line.split()[1:] for line in done.stdout.splitlines() if line.startswith("loaded ")]
    return {program: set(names) for program, names in zip(programs, loaded, strict=True)}


@pytest.mark.parametrize("program", LIGHT[:-1])
def test_the_light_part_loads_no_heavy_library(program):
    heavy = {"torch", "lightning", "pytorch_lightning", "optuna", "pandas", "sklearn"}
    assert not modules_after(tuple(LIGHT))[program] & heavy


def test_reading_a_study_loads_neither_torch_nor_lightning():
    assert not modules_after(tuple(LIGHT))[LIGHT[-1]] & {"torch", "lightning"}


@pytest.mark.slow
def test_callbacks_load_the_namespace_that_was_imported_as_by_default():
    program = "import lightning.pytorch, autolr.callbacks"
    after = modules_after((program,), UNDER_LIGHTNING)[program]
    assert after & {"lightning", "pytorch_lightning"} == {"lightning"}


@pytest.mark.slow
@pytest.mark.parametrize("program", CALLBACKS)
def test_callbacks_load_the_namespace_that_is_in_use_and_no_other(program):
    after = modules_after((*CALLBACKS, FITS), UNDER_LIGHTNING)[program]
    assert after & {"lightning", "pytorch_lightning"} == {CALLBACKS[program]}


def test_callbacks_load_no_optuna():
    after = modules_after((*CALLBACKS, FITS), UNDER_LIGHTNING)
    assert "optuna" not in after[next(iter(CALLBACKS))]


@pytest.mark.slow
def test_fitting_one_run_loads_no_optuna():
    after = modules_after((*CALLBACKS, FITS), UNDER_LIGHTNING)[FITS]
    assert "lightning" in after
    assert "optuna" not in after


def test_the_public_names_are_the_documented_ones():
    shown = {name for name in dir(autolr) if not name.startswith("_")}
    submodules = {name for name in shown if f"autolr.{name}" in sys.modules}
    assert shown - submodules - {"Any", "TYPE_CHECKING", "import_module"} == PUBLIC - {"schedules"}


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_every_public_name_can_be_had_and_is_documented(name):
    assert getattr(autolr, name).__doc__


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("schedules", "profile"),
        ("rules", "rule"),
        ("rules", "Rule"),
        ("online", "Strategy"),
        ("online", "State"),
        ("online", "Observation"),
        ("objective", "Objective"),
        ("driver", "Engine"),
        ("driver", "engine"),
        *(
            ("testing", f"{part}Contract")
            for part in ("Profile", "Rule", "Strategy", "Objective", "Engine")
        ),
    ],
)
def test_what_extends_autolr_is_exported_and_marked_experimental(module, name):
    made = getattr(importlib.import_module(f"autolr.{module}"), name)
    assert "Experimental" in made.__doc__


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nope'"):
        _ = autolr.nope

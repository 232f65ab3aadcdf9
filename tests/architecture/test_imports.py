"""What an import loads, and what the package shows."""

import importlib
import subprocess
import sys

import pytest

import autolr

PUBLIC = {
    "Annealed",
    "ApplyRule",
    "AutoLR",
    "FollowCandidate",
    "AutoLRError",
    "ConfigError",
    "DivergedError",
    "Result",
    "Schedule",
    "StorageError",
    "TorchLearner",
    "TuneResult",
    "load_result",
    "schedules",
    "search",
    "tune",
}


def modules_after(code: str) -> set[str]:
    """Return the top-level modules that are loaded after running ``code``."""
    program = f"{code}\nimport sys; print(*sorted({{m.partition('.')[0] for m in sys.modules}}))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(
    "code",
    [
        "import autolr",
        "from autolr.arguments import parser; parser().format_help()",
        "import autolr.schedules, autolr.search_spaces, autolr.online, autolr.config, autolr.rules",
        "from autolr.cli import main; main(['rules']); main(['rules', 'prodigy'])",
    ],
)
def test_the_light_part_loads_no_heavy_library(code):
    heavy = {"torch", "lightning", "pytorch_lightning", "optuna", "pandas", "sklearn"}
    assert not modules_after(code) & heavy


def test_reading_a_study_loads_neither_torch_nor_lightning():
    assert not modules_after("import autolr.driver, autolr.report") & {"torch", "lightning"}


@pytest.mark.parametrize(
    ("before", "loaded"),
    [
        ("", "lightning"),
        ("import lightning.pytorch", "lightning"),
        ("import pytorch_lightning", "pytorch_lightning"),
    ],
)
def test_callbacks_load_the_namespace_that_is_in_use_and_no_other(before, loaded):
    after = modules_after(f"{before}\nimport autolr.callbacks")
    assert after & {"lightning", "pytorch_lightning"} == {loaded}


def test_callbacks_load_no_optuna():
    assert "optuna" not in modules_after("import autolr.callbacks")


def test_fitting_one_run_loads_no_optuna(tmp_path):
    config = tmp_path / "best.yaml"
    config.write_text("# Modules: .\nmodel: {class_path: nowhere.Model}\n")
    after = modules_after(f"from autolr.cli import main; assert main(['fit', '{config}']) == 2")
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

"""Projects have a script and exact pins; the pins are those with which autolr is tested."""

import hashlib

import pytest

from examples.real_projects.catalogue import PROJECTS
from examples.real_projects.environments import ROOT, constraints, pins, python_of

_FILES = sorted((ROOT / "examples" / "real_projects" / "requirements").glob("*.txt"))


@pytest.mark.parametrize("name", PROJECTS)
def test_each_project_has_a_script_and_pins(name: str) -> None:
    assert PROJECTS[name].file.is_file()
    assert PROJECTS[name].requirements in _FILES


def test_each_file_of_pins_is_of_a_project() -> None:
    assert {project.requirements for project in PROJECTS.values()} == set(_FILES)


@pytest.mark.parametrize("file", _FILES, ids=lambda file: file.stem)
def test_each_environment_has_all_that_autolr_needs_at_its_tested_versions(file) -> None:
    tested = pins(ROOT / "constraints.txt")
    pinned = pins(file)
    assert pinned.keys() >= {"torch", "lightning", "pytorch-lightning", "optuna", "numpy", "rich"}
    others = {name for name in pinned if pinned[name] != tested.get(name, pinned[name])}
    # forecasters take no pandas from 3.1 on, PyTorch Tabular no torchmetrics from 1.9 on
    assert others <= {"pandas", "torchmetrics"}


def test_what_is_no_exact_pin_is_refused(tmp_path) -> None:
    file = tmp_path / "loose.txt"
    file.write_text("# the project\ntorch==2.13.0  # of the constraints\nlightning>=2\n")
    with pytest.raises(ValueError, match=r"^loose.txt: must be NAME==VERSION, got 'lightning>=2'$"):
        pins(file)
    file.write_text("PyYAML==6.0.3\n\n")
    assert pins(file) == {"pyyaml": "6.0.3"}


def test_constraints_leave_out_what_an_environment_pins_otherwise() -> None:
    common = ["# exact versions", "numpy==2.4.6", "pandas==3.1.1", "pandas-stubs==3.1.0.261029"]
    assert constraints(common, ["pandas"]) == [common[0], common[1], common[3]]
    assert constraints(["pytorch_optimizer==4.1.0"], ["pytorch-optimizer"]) == []


def test_an_environment_that_has_its_pins_is_left_as_it_is(tmp_path) -> None:
    file, home = tmp_path / "mine.txt", tmp_path / "envs" / "mine"
    file.write_text("numpy==2.4.6\n")
    home.mkdir(parents=True)
    done = home / "requirements.sha256"
    done.write_text(hashlib.sha256(file.read_bytes()).hexdigest())
    assert python_of(file, tmp_path / "envs").parent.parent == home
    assert list(home.iterdir()) == [done]

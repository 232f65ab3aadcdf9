"""The layers of the house, and its outer form."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LIGHTNING = {"lightning", "lightning_fabric", "pytorch_lightning"}


def test_no_layer_imports_a_higher_one():
    command = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([command, "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_lightning_is_imported_in_one_module():
    files = [*(ROOT / "autolr").rglob("*.py"), *(ROOT / "callbacks").glob("*.py")]
    importing = {path.name for path in files if _imported(path) & LIGHTNING}
    assert importing == {"namespaces.py"}


def _imported(path: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(path.read_text("utf-8"))))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    return {name.partition(".")[0] for name in names}


def test_every_module_has_a_layer():
    config = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    layers = " | ".join(config["tool"]["importlinter"]["contracts"][0]["layers"]).split(" | ")
    modules = {path.stem for path in (ROOT / "autolr").iterdir() if not path.name.startswith("_")}
    assert {f"autolr.{name}" for name in modules - {"py"}} == set(layers)


def test_every_package_is_installed():
    config = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    folders = {path.parent for path in (ROOT / "autolr").glob("**/__init__.py")}
    folders |= {ROOT / "autolr" / name for name in ("callbacks", "search_spaces")}
    result = {".".join(folder.relative_to(ROOT).parts) for folder in folders}
    assert set(config["tool"]["setuptools"]["packages"]) == result


@pytest.mark.parametrize("name", ["callbacks", "search_spaces"])
def test_the_links_give_the_checkout_its_installed_shape(name):
    link = ROOT / "autolr" / name
    assert link.is_symlink()
    assert link.resolve() == ROOT / name

"""How large files and chains of imports may become: what fits in a reader's head."""

import ast
import statistics
from pathlib import Path

import pytest

from tests.architecture.figures import imports_of, longest_chain, modules_of

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def files() -> dict[str, Path]:
    return modules_of(ROOT)


def test_files_are_short(files: dict[str, Path]) -> None:
    lines = {name: len(path.read_text("utf-8").splitlines()) for name, path in files.items()}
    assert {name: count for name, count in lines.items() if count > 300} == {}
    assert statistics.median(lines.values()) <= 90


def test_no_module_is_more_than_22_imports_above_the_lowest(files: dict[str, Path]) -> None:
    trees = {name: ast.parse(path.read_text("utf-8")) for name, path in files.items()}
    chain = longest_chain(
        {name: imports_of(name, tree, set(trees)) for name, tree in trees.items()}
    )
    assert len(chain) <= 22, chain


def test_a_chain_counts_what_is_imported_when_a_module_loads() -> None:
    imports = {"a": {"b", "c"}, "b": {"c"}, "c": set[str]()}
    assert longest_chain(imports) == ["a", "b", "c"]
    source = (
        "from autolr import x\nif TYPE_CHECKING:\n    import autolr.y\ndef f():\n    import z\n"
    )
    assert imports_of("m", ast.parse(source), {"autolr", "autolr.x", "autolr.y", "z"}) == {
        "autolr.x"
    }

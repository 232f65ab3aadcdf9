"""What the docstrings of public functions say: Args, where there are several."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.figures import modules_of

ROOT = Path(__file__).parents[2]
_INHERITED = {"override", "overload", "fixture"}  # documented at the base, or by pytest
_EXCEPTIONS = {
    "autolr.schedules._constant.constant"
}  # has no settings beside k and n of all profiles


@pytest.fixture(scope="module")
def trees() -> dict[str, ast.Module]:
    return {name: ast.parse(path.read_text("utf-8")) for name, path in modules_of(ROOT).items()}


def test_public_functions_with_two_or_more_parameters_say_what_each_is(
    trees: dict[str, ast.Module],
) -> None:
    silent = [
        name
        for module, tree in trees.items()
        for name, function in _functions(tree.body, module)
        if len(_parameters(function)) > 1 and not _describes(function)
    ]
    assert set(silent) == _EXCEPTIONS


def test_args_name_the_parameters_that_there_are(trees: dict[str, ast.Module]) -> None:
    wrong = {
        name: (named, _parameters(function))
        for module, tree in trees.items()
        for name, function in _functions(tree.body, module)
        if (named := _named(function)) and not set(named) <= set(_parameters(function))
    }
    assert wrong == {}


def test_a_function_without_args_is_noticed() -> None:
    source = "class A:\n    @classmethod\n    def f(cls, a, *, b):\n        '''Do {}.'''\n"
    for text, expected in (("it", False), ("it.\n\n        Args:\n            a: x", True)):
        ((name, function),) = _functions(ast.parse(source.format(text)).body, "m")
        assert (name, _parameters(function)) == ("m.A.f", ["a", "b"])
        assert _describes(function) == expected
        assert _named(function) == (["a"] if expected else [])


def _functions(body: list[ast.stmt], prefix: str) -> Iterator[tuple[str, ast.FunctionDef]]:
    for node in body:
        if not isinstance(node, ast.ClassDef | ast.FunctionDef) or node.name.startswith("_"):
            continue
        name = f"{prefix}.{node.name}"
        if isinstance(node, ast.ClassDef):
            yield from _functions(node.body, name)
        elif not node.name.startswith("test_") and not _INHERITED & _decorators(node):
            yield name, node


def _decorators(function: ast.FunctionDef) -> set[str]:
    words = (ast.unparse(decorator).partition("(")[0] for decorator in function.decorator_list)
    return {word.rpartition(".")[2] for word in words}


def _parameters(function: ast.FunctionDef) -> list[str]:
    """Return the names, without those that only say that more is taken, such as ``*_``."""
    given = function.args
    several = [one for one in (given.vararg, given.kwarg) if one is not None]
    named = [one.arg for one in (*given.posonlyargs, *given.args, *several, *given.kwonlyargs)]
    return [name for name in named[named[:1] in (["self"], ["cls"]) :] if name.strip("_")]


def _describes(function: ast.FunctionDef) -> bool:
    """Return whether there is a section for parameters; a profile has settings."""
    text = ast.get_docstring(function) or ""
    return "Args:\n" in text or "Settings:\n" in text


def _named(function: ast.FunctionDef) -> list[str]:
    """Return the names in the section Args."""
    _, _, section = (ast.get_docstring(function) or "").partition("Args:\n")
    named = []
    for line in section.splitlines():
        if line and not line.startswith("    "):
            break
        if line.startswith("    ") and not line.startswith("     "):
            named.append(line.strip().partition(":")[0].lstrip("*"))
    return named

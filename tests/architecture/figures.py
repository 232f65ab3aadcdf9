"""Print the figures of the package's shape: modules, lines, the longest chain of imports, names.

python tests/architecture/figures.py [FOLDER]    FOLDER: a checkout, this one if none is given
"""

import ast
import statistics
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

_PACKAGE = "autolr"


def main(root: Path) -> None:
    """Print one line a figure."""
    modules = modules_of(root)
    trees = {name: ast.parse(path.read_text("utf-8")) for name, path in modules.items()}
    lines = {name: len(path.read_text("utf-8").splitlines()) for name, path in modules.items()}
    chain = longest_chain(
        {name: imports_of(name, tree, set(trees)) for name, tree in trees.items()}
    )
    edges = {(_folder(a), _folder(b)) for a in trees for b in imports_of(a, trees[a], set(trees))}
    largest = max(lines, key=lines.__getitem__)
    twice = {name: n for name, n in Counter(_definitions(trees)).items() if n > 1}
    print(f"modules                                {len(modules)}")
    print(f"lines                                  {sum(lines.values())}")
    print(
        f"file, median / largest                 {statistics.median(lines.values()):.0f} / "
        f"{lines[largest]} ({largest})"
    )
    print(f"longest chain of module-level imports  {len(chain)}: {' > '.join(chain)}")
    print(f"edges between packages                 {sum(a != b for a, b in edges)}")
    print(f"public classes, functions defined twice  {len(twice)}: {', '.join(sorted(twice))}")
    print(f"public names of autolr                 {len(public_names(trees[_PACKAGE]))}")


def modules_of(root: Path) -> dict[str, Path]:
    """Return the file of each module by its dotted name; links are followed once."""
    files = [path for path in (root / _PACKAGE).rglob("*.py") if "__pycache__" not in path.parts]
    for linked in ("callbacks", "search_spaces"):
        files += [root / _PACKAGE / linked / p.name for p in (root / linked).glob("*.py")]
    named = {}
    for path in sorted(set(files)):
        parts = path.relative_to(root).with_suffix("").parts
        named[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return named


def imports_of(module: str, tree: ast.Module, known: set[str]) -> set[str]:
    """Return the modules that importing ``module`` imports by its own statements."""
    result: set[str] = set()
    for node in _at_module_level(tree.body):
        if isinstance(node, ast.Import):
            result |= {alias.name for alias in node.names}
        elif node.module is not None:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                result.add(inner if inner in known else node.module)
    return (result & known) - {module}


def _at_module_level(body: list[ast.stmt]) -> Iterator[ast.Import | ast.ImportFrom]:
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, ast.Try):
            yield from _at_module_level(node.body)


def longest_chain(imports: dict[str, set[str]]) -> list[str]:
    """Return the modules of the longest path through a graph without cycles."""

    @cache
    def below(module: str) -> tuple[str, ...]:
        paths = [below(other) for other in sorted(imports[module])]
        return (module, *max(paths, key=len, default=()))

    longest: tuple[str, ...] = max((below(module) for module in imports), key=len)
    return list(longest)


def public_names(tree: ast.Module) -> set[str]:
    """Return what a package's ``__init__`` exports as ``name as name``, annotations included."""
    aliases = (a for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) for a in n.names)
    return {alias.asname for alias in aliases if alias.asname == alias.name and alias.asname}


def _definitions(trees: dict[str, ast.Module]) -> Iterator[str]:
    for tree in trees.values():
        for node in tree.body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
                yield node.name


def _folder(module: str) -> str:
    parts = module.split(".")
    return ".".join(parts[:2])


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[2])

"""The tutorial as a notebook: `docs/tutorial.md`, its code in cells that are executed.

python -m examples.tutorial_notebook examples/tutorial.ipynb     # needs the extra dev
"""
# mypy: allow-untyped-calls

import re
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import nbformat
from nbclient import NotebookClient

TUTORIAL = Path(__file__).parents[1] / "docs/tutorial.md"
_PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<=\]\()(?!https?:)([^)]+)(?=\))")  # from docs/ to what lies beside it


def cells(text: str) -> list[Any]:
    """Return the cells of a text in Markdown: those of prose and those of code by turns."""
    made = []
    for number, part in enumerate(_PYTHON.split(text)):
        if number % 2:
            made.append(nbformat.v4.new_code_cell(part.rstrip("\n"), id=f"cell-{number}"))
        elif part.strip():
            prose = _LINK.sub(lambda link: f"../docs/{link[0]}", part.strip())
            made.append(nbformat.v4.new_markdown_cell(prose, id=f"cell-{number}"))
    return made


def executed(notebook: Any) -> Any:
    """Execute a notebook in an empty folder, and return it with its outputs.

    Raises:
        CellExecutionError: If a cell raises.
    """
    with TemporaryDirectory() as folder:
        resources = {"metadata": {"path": folder}}
        NotebookClient(notebook, timeout=600, resources=resources).execute()
    for cell in notebook.cells:
        cell.metadata.clear()  # times of execution, which differ each time
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if _is_ours(output)]
    return notebook


def _is_ours(output: Any) -> bool:
    """Return whether the tutorial is about an output: no hints or warnings of other packages."""
    return output.get("name") != "stderr" or str(output.text).startswith("AutoLR: ")


def main() -> None:
    """Write the notebook."""
    notebook = nbformat.v4.new_notebook(cells=cells(TUTORIAL.read_text("utf-8")))
    nbformat.write(executed(notebook), sys.argv[1])


if __name__ == "__main__":
    main()

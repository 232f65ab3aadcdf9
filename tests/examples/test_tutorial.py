"""The tutorial and its notebook, which is executed here."""
# mypy: allow-untyped-calls

from pathlib import Path
from typing import Any

import nbformat
import pytest

from examples.tutorial_notebook import TUTORIAL, cells, executed

NOTEBOOK = Path(__file__).parents[2] / "examples/tutorial.ipynb"


def read() -> Any:
    return nbformat.read(NOTEBOOK, as_version=4)


def shown(notebook: Any) -> list[str]:
    """Return what the outputs of its cells are, as text."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    return [output.get("text") or str(output.get("data", output)) for output in outputs]


def test_the_notebook_is_the_tutorial() -> None:
    wanted = [(cell.cell_type, cell.source) for cell in cells(TUTORIAL.read_text("utf-8"))]
    assert [(cell.cell_type, cell.source) for cell in read().cells] == wanted


def test_the_stored_outputs_show_a_result_as_its_page() -> None:
    text = "\n".join(shown(read()))
    assert "peak  " in text
    assert "<iframe srcdoc=" in text
    assert "Traceback" not in text


@pytest.mark.slow
def test_the_notebook_runs() -> None:
    """So do the blocks of the tutorial, which are its cells."""
    text = "\n".join(shown(executed(read())))
    assert "rollbacks  none" in text
    assert "<iframe srcdoc=" in text

"""The example of a Python objective runs as it stands, and is resumed."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from autolr.cli import main

ROOT = Path(__file__).parents[3]


def run(folder: Path, *program: str) -> str:
    command = [sys.executable, *(program or ("-m", "examples.extending.digits_function"))]
    done = subprocess.run(
        command,
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": "", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@pytest.mark.slow
def test_it_runs_as_it_stands_and_its_best_is_trained_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first = run(tmp_path)
    accuracy = float(first.partition("accuracy ")[2].partition(",")[0])
    assert 0.88 < accuracy < 1.0
    assert run(tmp_path) == first
    monkeypatch.chdir(tmp_path)
    assert main(["fit", "autolr_runs/digits_function/best.yaml", "--out", "again"]) == 0
    line, known = capsys.readouterr().out.splitlines()
    returned = float(line.removeprefix("the function returned "))
    assert known == f"to compare with: study digits_function (trial 0, accuracy {returned:.6g})"
    assert returned == pytest.approx(accuracy, abs=5e-5)  # what is printed
    table = pd.read_csv("autolr_runs/digits_function/trials.csv")
    assert set(table["state"]) == {"COMPLETE", "PRUNED"}


@pytest.mark.slow
def test_a_study_of_scikit_learn_loads_neither_torch_nor_lightning(tmp_path: Path) -> None:
    program = (
        "import sys, autolr\n"
        "from examples.extending.digits_function import SPACE, objective\n"
        "autolr.tune(objective, SPACE, max_steps=9, trials=2, monitor='accuracy')\n"
        "print(sorted({'torch', 'lightning', 'pytorch_lightning'} & set(sys.modules)))\n"
    )
    assert run(tmp_path, "-c", program) == "[]\n"

"""A model that cannot be trained ends a study before its trials, or after few of them."""

import json
from typing import Any

import pytest

from tests.end_to_end.refusal import check_refused


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        (("width: int = 4,", "width: int, depth: int,"), 2, ["line.Line", "needs", "depth"]),
        (("super().__init__()\n        self.net", "raise KeyError('x y')"), 1, ["KeyError: 'x y'"]),
        (("return DataLoader(self.train", "raise OSError('no disk')\n  #"), 1, ["no disk"]),
        (("error = self", "raise OSError('no ear')\n        error = self"), 1, ["no ear"]),
        (("def validation_step", "def another_step"), 2, ["validation"]),
        (("def val_dataloader", "def another_loader"), 2, ["validation"]),
        (
            ("error = self", "raise SystemExit(3)\n        error = self"),
            1,
            ["SystemExit: 3 (line.py:"],
        ),
        (("class Line", "import nopackage\n\n\nclass Line"), 2, ["line.Line", "'nopackage'"]),
        (("class Line", "class Line("), 2, ["invalid syntax", "line.py"]),
        (
            (
                "return torch.optim.Adam(self.parameters(), lr=1e-2)",
                "adam = torch.optim.Adam(self.parameters(), lr=1e-2)\n"
                "        return [adam], [torch.optim.lr_scheduler.StepLR(adam, 1)]",
            ),
            2,
            ["tune.space has schedule, warmup", "StepLR", "leave out schedule"],
        ),
    ],
    ids=lambda value: value[1].splitlines()[0][:30] if isinstance(value, tuple) else None,
)
def test_a_model_that_cannot_be_trained_is_recognized_before_a_trial(
    project: Any, change: tuple[str, str], status: int, words: list[str]
) -> None:
    old, new = change
    if "raise KeyError" in new:
        new += "\n        super().__init__()\n        self.net"
    if "no disk" in new:
        new = "raise OSError('no disk')\n        return DataLoader(self.train"
    project.change_model((old, new))
    check_refused(project.run("tune", "tune.yaml"), status, *words)
    assert not (project.folder / "runs.db").exists()


@pytest.mark.slow
def test_a_model_that_logs_nothing_is_refused(project: Any) -> None:
    project.change_model(
        ('self.log("train_loss", loss)', "pass"),
        ('self.log("val_loss", error.pow(2).mean())', "pass"),
        ('self.log("val_acc", (error.abs() < 0.5).float().mean())', "pass"),
    )
    check_refused(project.run("tune", "tune.yaml"), 2, "monitor", "logs nothing", "'val_loss'")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            r"RuntimeError('shapes (3, 4)\n do not match')",
            "RuntimeError: shapes (3, 4) do not match (line.py:22)",
        ),
        ("SystemExit(3)", "SystemExit: 3"),
        ("KeyError(self.net.nothing)", "AttributeError: 'Sequential' object has no attribute"),
    ],
)
def test_an_error_in_the_first_step_is_not_tried_again_and_ends_the_study_after_three_trials(
    project: Any, error: str, message: str
) -> None:
    project.change_model(("time.sleep", f"raise {error}\n        time.sleep"))
    finished = project.run("tune", "tune.yaml")
    assert finished.status == 1
    assert finished.trained == [0, 1, 2]
    assert len(finished.err.splitlines()) == 1
    assert "3 trials in a row failed before their first step, the last one: " in finished.err
    assert message in finished.err
    traceback = project.folder / "autolr_runs/line/trial_2/error.txt"
    assert str(traceback.relative_to(project.folder)) in finished.err
    assert 'line.py", line ' in traceback.read_text()
    project.change_model()  # mended: the code is no part of the fingerprint
    assert project.tune("--trials", 1).status == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("error", "attempts"),
    [
        ("RuntimeError('CUDA out of memory')", 3),
        ("ConnectionError('no route')", 3),
        ("FileNotFoundError(2, 'No such file', 'images')", 1),
        ("ValueError('late') if self.trainer.global_step else None", 3),
    ],
)
def test_what_may_pass_and_what_comes_after_the_first_step_is_tried_again(
    project: Any, error: str, attempts: int
) -> None:
    code = f"error = {error}\n        if error: raise error\n        time.sleep"
    project.change_model(("time.sleep", code))
    finished = project.run("tune", "tune.yaml")
    assert finished.status == 1
    assert finished.trained == [number for number in (0, 1, 2) for _ in range(attempts)]
    assert len(finished.err.splitlines()) == 1
    assert ("before their first step" in finished.err) == (attempts == 1)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_a_value_of_the_space_with_which_the_model_cannot_be_made_costs_one_attempt(
    project: Any, workers: int
) -> None:
    project.change_model(
        (
            "super().__init__()\n        self.net",
            "super().__init__()\n        1 / width\n        self.net",
        )
    )
    project.configure({"tune/space/model.init_args.width": [4, 0], "tune/sampler": "random"})
    finished = project.tune("--workers", workers)
    shown = json.loads(project.run("show", "line", "--storage", "sqlite:///runs.db", "--json").out)
    failed = [trial for trial in shown["trials"] if trial["state"] == "FAIL"]
    assert failed
    for trial in failed:
        assert trial["params"]["model.init_args.width"] == 0
        assert trial["attrs"]["attempts"] == 1
        assert trial["attrs"]["reason"] == "ZeroDivisionError: division by zero (line.py:14)"
    assert "4 of 4 trials finished" in finished.out

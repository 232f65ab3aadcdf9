"""What cannot work ends at once, in one line that names the setting and what would work."""

import json
from typing import Any

import pytest

AUTOLR = "autolr.callbacks.AutoLR"
NOISE = ("Traceback", "GPU available", "Seed set", "lightning.ai", "Tip:", "Warning")


def searching(strategy: Any) -> dict[str, Any]:
    """Return the changes of a config that attach an `AutoLR` with a strategy."""
    return {"trainer/callbacks": [{"class_path": AUTOLR, "init_args": {"strategy": strategy}}]}


def check_refused(finished: Any, status: int, *words: str) -> None:
    """It ended with this status, printed these words and little else, and no trial had begun."""
    assert finished.status == status, finished
    assert finished.err.startswith("autolr: error: ")
    assert len(finished.err.splitlines()) <= 3
    assert len(finished.err) <= 500
    assert [word for word in words if word not in finished.err] == [], finished.err
    assert [noise for noise in NOISE if noise in finished.out + finished.err] == []
    assert finished.trained == []


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"tune/study": "../../etc/x"}, 2, ["tune.study", "'../../etc/x'"]),
        ({"tune/space": "defualt"}, 2, ["'defualt'", "'default'", "quick"]),
        ({"tune/monitr": "val_loss"}, 2, ["tune", "'monitr'", "'monitor'"]),
        ({"tune/trials": -3}, 2, ["tune.trials", "at least 1", "-3"]),
        ({"tune/trials": "many"}, 2, ["tune.trials", "whole number", "'many'"]),
        ({"tune/pruner": "median"}, 2, ["tune.pruner", "hyperband", "'median'"]),
        ({"tune/mode": "lowest"}, 2, ["tune.mode", "min or max", "'lowest'"]),
        ({"tune/storage": "runs.db"}, 2, ["storage", "sqlite:///", "'runs.db'"]),
        ({"tune/storage": "sqlite:///line.py/x.db"}, 4, ["sqlite:///line.py/x.db", "File exists"]),
        ({"tune/out": "line.py"}, 2, ["out", "line.py is a file"]),
        ({"trainer": 3}, 2, ["trainer", "mapping", "3"]),
        ({"trainer/max_epoch": 3}, 2, ["trainer", "'max_epoch'", "'max_epochs'"]),
        ({"trainer/max_epochs": "three"}, 2, ["trainer.max_epochs", "int or null", "three"]),
        ({"modle": {"class_path": "line.Line"}}, 2, ["'modle'", "'model'"]),
        ({"model": None}, 2, ["model"]),
        ({"data": None}, 2, ["train_dataloader"]),
        ({"model/init_args/widht": 3}, 2, ["model.init_args", "line.Line", "'widht'", "'width'"]),
        ({"model/init_args/width": "wide"}, 2, ["model.init_args.width", "int", "wide"]),
        ({"data/init_args/batch_size": 1.5}, 2, ["data.init_args.batch_size", "int", "1.5"]),
        ({"model/class_path": "line.Lien"}, 2, ["model.class_path", "line.Lien"]),
        ({"model/class_path": "lien.Line"}, 2, ["model.class_path", "No module named 'lien'"]),
        ({"model/class_path": "line.Points"}, 2, ["model.class_path", "LightningModule"]),
        ({"model/class_path": "collections.deque"}, 2, ["LightningModule", "collections.deque"]),
        ({"trainer/callbacks": [{"class_path": "no.X"}]}, 2, ["trainer.callbacks", "no.X"]),
        (
            {"trainer/callbacks": [{"class_path": AUTOLR, "init_args": {"budget": 0.5}}]},
            2,
            ["trainer.callbacks", "'budget'", "autolr.online.Annealed", "{budget: ...}"],
        ),
        (searching({"class_path": "line.Line"}), 2, ["strategy.class_path", "line.Line"]),
        (
            searching({"class_path": "autolr.Annealed", "init_args": {"budget": -1}}),
            2,
            ["budget", "positive share", "-1"],
        ),
        ({"tune/monitor": "nope"}, 2, ["tune.monitor", "'nope'", "val_acc, val_loss"]),
        ({"tune/monitor": "val_lss"}, 2, ["tune.monitor", "did you mean 'val_loss'?", "val_acc"]),
        (
            {"trainer/callbacks": [{"class_path": "autolr.callbacks.AutoLR"}]},
            2,
            ["trainer.callbacks has AutoLR", "leave it out"],
        ),
        ({"tune/space/model.init_args.depth": [1, 2]}, 2, ["tune.space", "'depth'", "width"]),
        ({"tune/space/model.init_args.width": [4, "x"]}, 2, ["model.init_args.width", "int", "x"]),
        ({"tune/space/data.init_args.batch": 8}, 2, ["tune.space", "'batch'", "batch_size"]),
    ],
    ids=lambda value: next(iter(value), "") if isinstance(value, dict) else None,
)
def test_a_setting_that_cannot_work_is_named(
    project: Any, changes: dict[str, Any], status: int, words: list[str]
) -> None:
    project.configure(changes)
    check_refused(project.run("tune", "tune.yaml"), status, *words)
    assert not (project.folder / "runs.db").exists()


@pytest.mark.slow
def test_a_config_that_was_corrected_works_at_once(project: Any) -> None:
    for changes in ({"tune/space/model.init_args.depth": 1}, {"tune/monitor": "nope"}):
        project.configure(changes)
        assert project.run("tune", "tune.yaml").status == 2
    project.configure()
    assert project.tune("--trials", 1).trained == [0]


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


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model/init_args": {"widht": 4}}, "model.init_args: line.Line does not take 'widht'"),
        ({"model/init_args": {"width": "four"}}, "model.init_args.width must be int, got four"),
        ({"model/init_args": {"dropout": "x"}}, "model.init_args.dropout must be float, got x"),
        (
            {"tune/space/model.init_args.width": [4, "b"]},
            "tune.space: model.init_args.width must be int, got b",
        ),
        (
            {"model/init_args": {}, "tune/space/model.init_args.width": ["b", 4]},
            "tune.space: model.init_args.width must be int, got b",
        ),
    ],
)
def test_a_wrong_argument_is_blamed_on_the_part_of_the_config_that_has_it(
    project: Any, changes: dict[str, Any], message: str
) -> None:
    project.configure({"tune/space/model.init_args.width": [4, 8], **changes})
    finished = project.run("tune", "tune.yaml")
    assert finished.status == 2
    assert finished.err.startswith(f"autolr: error: {message}")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("model: {}\n", ["tune.yaml, line ", "'model'", "repeated"]),
        ("  : [x\n", ["tune.yaml, line "]),
        ("x: !!python/object/apply:os.system ['touch made']\n", ["tune.yaml, line ", "os.system"]),
    ],
)
def test_yaml_that_is_broken_or_dangerous_is_refused_with_its_line(
    project: Any, text: str, words: list[str]
) -> None:
    file = project.configure()
    file.write_text(file.read_text() + text)
    check_refused(project.run("tune", "tune.yaml"), 2, *words)
    assert not (project.folder / "made").exists()


def test_a_config_that_is_no_file_is_refused(project: Any) -> None:
    check_refused(project.run("tune", "none.yaml"), 2, "none.yaml", "No such file")
    check_refused(project.run("tune", "."), 2, "Is a directory")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["tune", "tune.yaml", "--trials", "0"], ["trials", "at least 1", "0"]),
        (["tune", "tune.yaml", "--trials", "many"], ["trials", "int", "many"]),
        (["tune", "tune.yaml", "--study", "../../etc/x"], ["study", "'../../etc/x'"]),
        (["tune", "tune.yaml", "--trails", "3"], ["--trails", "--help"]),
        (["tune"], ["config"]),
        (["tnue", "tune.yaml"], ["'tnue'", "'tune'"]),
    ],
)
def test_wrong_usage_is_explained_in_one_line(
    project: Any, arguments: list[str], words: list[str]
) -> None:
    check_refused(project.run(*arguments), 2, *words)


def test_a_database_that_is_none_is_refused_and_left_alone(project: Any) -> None:
    database = project.folder / "runs.db"
    database.write_bytes(b"garbage" * 1000)
    check_refused(project.run("tune", "tune.yaml"), 4, "sqlite:///runs.db", "not a database")
    assert database.read_bytes() == b"garbage" * 1000


def test_fit_refuses_a_wrong_config_as_tune_does(project: Any) -> None:
    project.configure({"model/init_args/widht": 3})
    finished = project.run("fit", "tune.yaml")
    assert finished.status == 2
    assert finished.err.splitlines()[-1].startswith("autolr: error: model.init_args: line.Line")
    assert "Traceback" not in finished.err


@pytest.mark.slow
def test_fit_names_the_monitor_as_the_config_does(project: Any) -> None:
    project.configure({"tune/monitor": "val_lss"})
    finished = project.run("fit", "tune.yaml")
    assert finished.status == 2
    last = finished.err.splitlines()[-1]
    assert last.startswith("autolr: error: tune.monitor must be a metric that validation logs: ")
    assert last.endswith("did you mean 'val_loss'?")


def test_a_monitor_whose_name_does_not_say_what_is_better_needs_the_mode(project: Any) -> None:
    project.change_model(('"val_acc"', '"val_score"'))
    project.configure({"tune/monitor": "val_score", "tune/trials": 1, "tune/space/lr": 0.01})
    words = ["mode must be 'min' or 'max'", "'val_score'", "got None"]
    check_refused(project.run("tune", "tune.yaml"), 2, *words)
    fitted = project.run("fit", "tune.yaml")  # (Lightning warns before)
    assert fitted.status == 2
    assert all(word in fitted.err.splitlines()[-1] for word in ("autolr: error: ", *words))
    project.configure({"tune/monitor": "val_score", "tune/mode": "max", "tune/trials": 1})
    assert "1 of 1 trials finished" in project.tune().out


@pytest.mark.parametrize("gone", [{"stack": True}, {"ranks": "apart"}], ids=["stack", "ranks"])
@pytest.mark.parametrize("command", ["fit", "tune"])
def test_a_setting_of_the_search_that_is_gone_is_refused(
    project: Any, command: str, gone: dict[str, Any]
) -> None:
    search = {"class_path": "autolr.callbacks.AutoLR", "init_args": gone}
    project.configure({"trainer/callbacks": [search]})
    words = ("trainer.callbacks.init_args", "AutoLR does not take", *map(repr, gone), "it takes")
    finished = project.run(command, "tune.yaml")
    assert finished.status == 2
    (line,) = finished.err.splitlines()
    assert [word for word in words if word not in line.replace("It", "it")] == []

"""What cannot work ends at once, in one line that names the setting and what would work."""

from typing import Any

import pytest

from tests.end_to_end.refusal import check_refused

AUTOLR = "autolr.callbacks.AutoLR"


def searching(strategy: Any) -> dict[str, Any]:
    """Return the changes of a config that attach an `AutoLR` with a strategy."""
    return {"trainer/callbacks": [{"class_path": AUTOLR, "init_args": {"strategy": strategy}}]}


NAMED_AT_ONCE: list[tuple[dict[str, Any], int, list[str]]] = [
    ({"tune/study": "../../etc/x"}, 2, ["tune.study", "'../../etc/x'"]),
    ({"tune/space": "defualt"}, 2, ["'defualt'", "'default'", "quick"]),
    ({"tune/storage": "sqlite:///line.py/x.db"}, 4, ["sqlite:///line.py/x.db", "File exists"]),
    ({"trainer/max_epochs": "three"}, 2, ["trainer.max_epochs", "int or null", "three"]),
    ({"model": None}, 2, ["model"]),
    ({"model/init_args/widht": 3}, 2, ["model.init_args", "line.Line", "'widht'", "'width'"]),
    ({"model/class_path": "lien.Line"}, 2, ["model.class_path", "No module named 'lien'"]),
    ({"trainer/callbacks": [{"class_path": "no.X"}]}, 2, ["trainer.callbacks", "no.X"]),
    ({"tune/monitor": "val_lss"}, 2, ["tune.monitor", "did you mean 'val_loss'?", "val_acc"]),
    ({"tune/space/model.init_args.depth": [1, 2]}, 2, ["tune.space", "'depth'", "width"]),
]


NAMED_TOO: list[tuple[dict[str, Any], int, list[str]]] = [
    ({"tune/monitr": "val_loss"}, 2, ["tune", "'monitr'", "'monitor'"]),
    ({"tune/trials": -3}, 2, ["tune.trials", "at least 1", "-3"]),
    ({"tune/trials": "many"}, 2, ["tune.trials", "whole number", "'many'"]),
    ({"tune/pruner": "median"}, 2, ["tune.pruner", "hyperband", "'median'"]),
    ({"tune/mode": "lowest"}, 2, ["tune.mode", "min or max", "'lowest'"]),
    ({"tune/storage": "runs.db"}, 2, ["storage", "sqlite:///", "'runs.db'"]),
    ({"tune/out": "line.py"}, 2, ["out", "line.py is a file"]),
    ({"trainer": 3}, 2, ["trainer", "mapping", "3"]),
    ({"trainer/max_epoch": 3}, 2, ["trainer", "'max_epoch'", "'max_epochs'"]),
    ({"modle": {"class_path": "line.Line"}}, 2, ["'modle'", "'model'"]),
    ({"data": None}, 2, ["train_dataloader"]),
    ({"model/init_args/width": "wide"}, 2, ["model.init_args.width", "int", "wide"]),
    ({"data/init_args/batch_size": 1.5}, 2, ["data.init_args.batch_size", "int", "1.5"]),
    ({"model/class_path": "line.Lien"}, 2, ["model.class_path", "line.Lien"]),
    ({"model/class_path": "line.Points"}, 2, ["model.class_path", "LightningModule"]),
    ({"model/class_path": "collections.deque"}, 2, ["LightningModule", "collections.deque"]),
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
    (
        {"trainer/callbacks": [{"class_path": "autolr.callbacks.AutoLR"}]},
        2,
        ["trainer.callbacks has AutoLR", "leave it out"],
    ),
    ({"tune/space/model.init_args.width": [4, "x"]}, 2, ["model.init_args.width", "int", "x"]),
    ({"tune/space/data.init_args.batch": 8}, 2, ["tune.space", "'batch'", "batch_size"]),
]


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [*NAMED_AT_ONCE, *(pytest.param(*case, marks=pytest.mark.slow) for case in NAMED_TOO)],
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


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model/init_args": {"widht": 4}}, "model.init_args: line.Line does not take 'widht'"),
        ({"model/init_args": {"width": "four"}}, "model.init_args.width must be int, got four"),
        pytest.param(
            {"model/init_args": {"dropout": "x"}},
            "model.init_args.dropout must be float, got x",
            marks=pytest.mark.slow,
        ),
        (
            {"tune/space/model.init_args.width": [4, "b"]},
            "tune.space: model.init_args.width must be int, got b",
        ),
        pytest.param(
            {"model/init_args": {}, "tune/space/model.init_args.width": ["b", 4]},
            "tune.space: model.init_args.width must be int, got b",
            marks=pytest.mark.slow,
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_monitor_whose_name_does_not_say_what_is_better_needs_the_mode(project: Any) -> None:
    project.change_model(('"val_acc"', '"val_score"'))
    project.configure({"tune/monitor": "val_score", "tune/trials": 1, "tune/space/lr": 0.01})
    words = ["mode must be 'min' or 'max'", "'val_score'", "got None"]
    check_refused(project.run("tune", "tune.yaml"), 2, *words)
    fitted = project.run("fit", "tune.yaml")  # (Lightning warns before)
    assert fitted.status == 2
    assert all(word in fitted.err.splitlines()[-1] for word in ("autolr: error: ", *words))
    project.configure({"tune/monitor": "val_score", "tune/mode": "max", "tune/trials": 1})
    assert "1 of 1 trial finished" in project.tune().out


@pytest.mark.slow
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

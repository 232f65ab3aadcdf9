"""What is stored is read back, and is what the table shows."""

from dataclasses import replace

import pytest

from examples.real_projects import table
from examples.real_projects.__main__ import main
from examples.real_projects.records import (
    AGAIN,
    AUTOLR,
    FAILED,
    LR_FIND,
    METHODS,
    ONE,
    OWN,
    REFUSED,
    TRAINED,
    Record,
    append,
    load,
)

_RUN = Record("vit", OWN, 0, 400, "val_loss", TRAINED, score=1.5, digest="a")


def runs(**digests: str) -> list[Record]:
    names = {"own": OWN, "one": ONE, "again": AGAIN}
    return [replace(_RUN, method=names[key], digest=d) for key, d in digests.items()]


def test_a_job_that_was_run_again_has_its_last_record(tmp_path) -> None:
    failed = replace(_RUN, outcome=FAILED, words="KeyError: 'x'", score=None, digest=None)
    for record in (failed, replace(_RUN, seed=1), _RUN):
        append(tmp_path / "vit.jsonl", record)
    assert load(tmp_path) == [_RUN, replace(_RUN, seed=1)]


def test_a_line_whose_writer_was_killed_is_not_read(tmp_path) -> None:
    file = tmp_path / "vit.jsonl"
    append(file, _RUN)
    append(file, replace(_RUN, seed=1))
    file.write_text(file.read_text()[:-9])
    assert load(tmp_path) == [_RUN]


@pytest.mark.parametrize(
    ("digests", "shown"),
    [
        ({"own": "a", "one": "a"}, "yes"),
        ({"own": "a", "one": "b"}, "no"),
        ({"own": "a", "one": "b", "again": "a"}, "no"),
        ({"own": "a", "one": "b", "again": "c"}, "not repeatable"),
        ({"own": "a"}, ""),
        ({"one": "a"}, ""),
    ],
)
def test_identical_means_equal_weights_where_plain_runs_are_equal(digests, shown) -> None:
    assert table.identical(runs(**digests)) == shown


def test_one_seed_that_differs_is_a_difference() -> None:
    other = [replace(run, seed=1) for run in runs(own="a", one="b")]
    assert table.identical(runs(own="a", one="a") + other) == "no"


def test_a_row_has_means_over_seeds_and_the_worst_that_came_of_a_search() -> None:
    several = [replace(_RUN, seed=seed, score=score) for seed, score in enumerate((1.0, 2.0, 3.0))]
    refused = replace(_RUN, method=AUTOLR, outcome=REFUSED, words="No.", score=None, digest=None)
    one = replace(_RUN, method=ONE)
    records = [*several, one, refused]
    assert table.rows(records, ["vit", "bert"]) == [
        ("vit", "refused", "yes", "2", "refused", "", "", "", "", "val_loss")
    ]
    ((_, _, _, own, *_),) = table.rows(records, ["vit"], ranges=True)
    assert own == "2 (1 to 3)"
    assert table.notes(records, ["vit"]) == ["vit: refused: No."]


def test_stored_runs_are_not_run_again_but_shown(tmp_path, capsys) -> None:
    for method, score in zip(METHODS, (1.5, 1.5, 1.25, 1.75), strict=True):
        price = 1.25 if method == AUTOLR else None
        append(tmp_path / "vit.jsonl", replace(_RUN, method=method, score=score, price=price))
    stored = ["--projects", "vit", "--seeds", "0", "--out", str(tmp_path)]
    assert main([*stored, "--envs", str(tmp_path / "none")]) == 0
    header, line, *below = capsys.readouterr().out.splitlines()
    assert "lr_find" in header
    assert line.split() == ["vit", "yes", "yes", "1.5", "1.25", "1.75", "better"]
    assert below == [
        "val_loss, lower is better: vit",
        "AutoLR() against the own rate: 1 better, 0 equal, 0 worse",
    ]
    assert not (tmp_path / "none").exists()
    assert main([*stored, "--markdown"]) == 0
    _, _, vit, _ = capsys.readouterr().out.splitlines()
    assert vit == "| vit | yes | yes | 1.5 (1.5 to 1.5) | 1.25 (1.25 to 1.25) | " + (
        "1.75 (1.75 to 1.75) | better | -0.25 | 1.25 | val_loss |"
    )


def test_a_project_is_worse_by_the_seeds_that_both_runs_have_in_the_direction_of_its_metric():
    accuracy = replace(_RUN, mode="max")
    own = [replace(accuracy, seed=seed, score=0.5) for seed in (0, 1, 2)]
    ours = [replace(accuracy, method=AUTOLR, seed=seed, score=0.4) for seed in (0, 1)]
    compared = table.harm([*own, *ours])
    assert compared is not None
    assert (compared.verdict, compared.seeds) == ("worse", 2)
    assert compared.difference == pytest.approx(-0.1)
    assert table.harm(own) is None


def test_projects_are_counted_by_verdict_and_named_by_metric() -> None:
    scores = {"vit": (2.0, 1.0), "bert": (1.0, 2.0), "gpt2": (1.0, 1.0)}
    runs = [
        replace(_RUN, project=name, method=method, score=score)
        for name, pair in scores.items()
        for method, score in zip((OWN, AUTOLR), pair, strict=True)
    ]
    runs.append(replace(_RUN, project="byol", metric="top1", mode="max"))
    projects = ["gpt2", "byol", "vit", "bert"]
    assert table.tally(runs, projects) == (
        "AutoLR() against the own rate: 1 better, 1 equal, 1 worse"
    )
    assert table.metrics(runs, projects) == [
        "val_loss, lower is better: gpt2, vit, bert",
        "top1, higher is better: byol",
    ]
    assert table.tally(runs, ["byol"]) == ""


def test_a_table_of_long_scores_keeps_its_numbers_and_names_whole_at_80_columns(capsys) -> None:
    from rich.console import Console

    long = replace(_RUN, project="pytorch-forecasting", metric="val_online_cls_top1")
    scores = [replace(long, method=m, score=-1.234e-10) for m in (OWN, ONE, AUTOLR, LR_FIND)]
    scores[1] = replace(scores[1], digest="b")
    scores.append(replace(long, method=AGAIN, digest="c"))
    made = table.rich_table(table.rows(scores, ["pytorch-forecasting"]))
    Console(width=80).print(made)
    printed = capsys.readouterr().out
    assert printed.count("-1.234e-10") == 3
    for word in ("pytorch-forecasting", "repeatable", "equal"):
        assert word in printed
    assert max(map(len, printed.splitlines())) <= 80

"""Every space of the catalogue is searched, and every rule trains in a study."""

from typing import Any

import pandas as pd
import pytest
import yaml

from autolr import rules, search_spaces

SPACE = "tune/space"


def followed_up(project: Any, study: str) -> None:
    """Run what a person does after a study; each command must succeed."""
    best = f"autolr_runs/{study}/best.yaml"
    stored = ("--storage", "sqlite:///runs.db")
    for arguments in (
        ("show", study, *stored),
        ("report", study, *stored),
        ("export", study, *stored, "--to", "trials_of_it.csv"),
        ("fit", best, "--out", "fitted"),
    ):
        done = project.run(*arguments)
        assert done.status == 0, (arguments, done)
    number = number_in(project, best)
    score = pd.read_csv(project.folder / "trials_of_it.csv", index_col="number")["value"][number]
    log = pd.read_csv(project.folder / "fitted/lightning_logs/version_0/metrics.csv")
    assert log["val_loss"].dropna().iloc[-1] == score


def number_in(project: Any, file: str) -> int:
    """Return the number of the trial that a best.yaml is of."""
    text = (project.folder / file).read_text()
    return int(text.partition("(trial ")[2].partition(",")[0])


@pytest.mark.slow
def test_a_study_over_all_rules_starts(project: Any) -> None:
    project.configure({SPACE: "rules"})
    assert "2 of 2 trials finished" in project.tune("--trials", 2).out


@pytest.mark.slow
@pytest.mark.parametrize("name", search_spaces.names())
def test_a_space_of_the_catalogue_is_searched_and_what_follows_works(
    project: Any, name: str
) -> None:
    project.configure({SPACE: name})
    assert project.run("tune", "tune.yaml", "--dry-run").status == 0
    assert "3 of 3 trials finished" in project.tune("--trials", 3).out
    if name in ("default", "rules"):  # two of six: what follows reads what was stored, not a space
        followed_up(project, "line")


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, len(rules.names()), 9))
def test_each_rule_trains_in_a_study_and_waits_where_others_lead(project: Any, first: int) -> None:
    names = rules.names()[first : first + 9]
    searched = [name for name in names if rules.record(name).peak.searched]
    peaks = {name: rules.record(name).peak.default for name in searched}
    rates = {
        f"lr.{name}": {"low": peak / 2, "high": peak, "log": True, "when": {"rule": name}}
        for name, peak in peaks.items()
    }
    project.configure(
        {
            SPACE: {"rule": names, **rates},
            "tune/start": [
                {"rule": name, **({f"lr.{name}": peaks[name]} if name in peaks else {})}
                for name in names
            ],
            "tune/online": False,
        }
    )
    finished = project.tune("--trials", len(names))
    assert f"{len(names)} of {len(names)} trials finished" in finished.out
    table = pd.read_csv(project.folder / "autolr_runs/line/trials.csv")
    assert not (table["state"] == "FAIL").any()
    assert sorted(table["rule"]) == sorted(names)
    assert {"COMPLETE", "PRUNED"} <= set(table["state"])


@pytest.mark.slow
def test_what_is_searched_of_a_rule_is_what_it_trains_with(project: Any) -> None:
    decay = {"choices": [0.0, 0.9], "when": {"rule": "lion"}}
    space = {"rule": "lion", "lr": 0.003, "schedule": "linear", "rule.weight_decay": decay}
    project.configure({SPACE: space, "tune/pruner": "none", "tune/sampler": "random"})
    project.tune()
    table = pd.read_csv(project.folder / "autolr_runs/line/trials.csv")
    scores = table.groupby("rule.weight_decay")["value"].unique()
    assert scores.map(len).tolist() == [1, 1]
    assert scores[0.0] != scores[0.9]
    callbacks = yaml.safe_load((project.folder / "autolr_runs/line/best.yaml").read_text())
    result = callbacks["trainer"]["callbacks"][0]["init_args"]["settings"]["weight_decay"]
    assert result == table.sort_values("value")["rule.weight_decay"].iloc[0]


@pytest.mark.parametrize(
    ("space", "message"),
    [
        (
            {"rule": ["lion", "sps_max"], "rule.weight_decay": {"choices": [0.1, -1.0]}},
            "weight_decay must be a number of at least 0, got -1.0",
        ),
        (
            {"rule": ["dog", "lion"], "rule.betas": {"choices": [0.9], "when": {"rule": "lion"}}},
            "lion: ",
        ),
        ({"rule": "dog", "warmup.dog": 0.1}, "warmup.dog: unknown section 'warmup'"),
        ({"lr.dog": 0.1, "lr.lion": 0.1}, "lr.dog and lr.lion may both exist in one candidate"),
    ],
)
def test_a_space_of_rules_that_cannot_work_is_refused_in_a_line(
    project: Any, space: dict[str, Any], message: str
) -> None:
    project.configure({SPACE: space})
    refused = project.run("tune", "tune.yaml", "--dry-run")
    assert refused.status == 2
    assert message in refused.err
    assert refused.err.count("\n") == 1

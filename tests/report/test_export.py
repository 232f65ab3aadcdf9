import json
import re
import shlex
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from autolr import schedules
from autolr.candidate import Candidate
from autolr.config import Config, best_of, read_config, read_run
from autolr.report import artefacts, best_config, trials_frame
from autolr.study import AVERAGED, DISCARDED, TrialRecord

CANDIDATE = Candidate(
    peak=0.1,
    schedule=schedules.warmup(0.1) | schedules.linear(),
    settings=(("model.init_args.hidden", 8),),
)


@pytest.fixture
def config() -> Config:
    return read_config(
        {
            "seed_everything": 7,
            "trainer": {"max_epochs": 2, "callbacks": {"class_path": "some.Callback"}},
            "model": {"class_path": "some.Model", "init_args": {"hidden": 4}},
            "tune": {"space": {"lr": [0.1, 0.2]}, "study": "some"},
        }
    )


def trial(value: float | None) -> TrialRecord:
    attrs = {"found": CANDIDATE.to_dict(), "run_steps": 48, "steps": 50, "metrics": {"f1": 0.5}}
    return TrialRecord(3, "COMPLETE", value, {"lr": 0.1}, attrs, {})


def test_the_best_config_fixes_the_candidate_and_keeps_the_rest(config):
    best = best_config(config, CANDIDATE)
    assert best["seed_everything"] == 7
    assert best["model"]["init_args"] == {"hidden": 8}
    assert best["trainer"]["max_epochs"] == 2
    given, follow = best["trainer"]["callbacks"]
    assert given == {"class_path": "some.Callback"}
    assert follow["class_path"] == "autolr.callbacks.FollowCandidate"
    assert follow["init_args"]["peak"] == 0.1
    assert schedules.parse(follow["init_args"]["schedule"]) == CANDIDATE.schedule
    assert "tune" not in best
    assert config.fit["model"]["init_args"] == {"hidden": 4}


def test_the_files_can_be_read_back(config, tmp_path):
    files = artefacts(config, tmp_path, [trial(0.25)], trial(0.25))
    assert sorted(file.name for file in files) == ["best.yaml", "schedule.json", "trials.csv"]
    best = files[tmp_path / "best.yaml"]
    assert yaml.safe_load(best) == best_config(config, CANDIDATE)
    assert best.startswith("# The best candidate of study some (trial 3, val_loss 0.25")
    stored = json.loads(files[tmp_path / "schedule.json"])
    assert (stored["peak"], stored["total_steps"]) == (0.1, 48)
    assert schedules.parse(stored["schedule"]) == CANDIDATE.schedule


def rolled_back(record: TrialRecord) -> TrialRecord:
    return replace(record, attrs={**record.attrs, DISCARDED: 9})


@pytest.mark.parametrize(
    ("others", "trained"),
    [
        ([replace(trial(0.252), number=1), replace(trial(0.251), number=2)], 2),
        ([replace(trial(0.26), number=1)], 3),
        ([rolled_back(replace(trial(0.251), number=1)), replace(trial(0.252), number=2)], 2),
    ],
    ids=[
        "the best of those that repeat",
        "none is close",
        "one that was rolled back too",
    ],
)
def test_best_yaml_trains_what_can_be_repeated_where_that_is_as_good(
    config, tmp_path, others, trained
):
    best = rolled_back(trial(0.25))
    text = artefacts(config, tmp_path, [best, *others], best)[tmp_path / "best.yaml"]
    assert text.startswith(f"# The best candidate of study some (trial {trained},")
    assert "# Trial 3: its search rolled it back, by 9 steps" in text
    assert ("best.yaml trains trial 2, which can be repeated" in text) == (trained == 2)
    best = trial(0.25)  # it repeats itself
    text = artefacts(config, tmp_path, [best, *others], best)[tmp_path / "best.yaml"]
    assert text.startswith("# The best candidate of study some (trial 3,")


def test_best_yaml_ends_as_a_trial_that_ended_with_an_average(config, tmp_path):
    best = replace(trial(0.25), attrs={**trial(0.25).attrs, AVERAGED: 96})
    files = artefacts(config, tmp_path, [best], best)
    *_, last = yaml.safe_load(files[tmp_path / "best.yaml"])["trainer"]["callbacks"]
    name = "autolr.callbacks.AverageLastSteps"
    assert last == {"class_path": name, "init_args": {"steps": 96}}
    assert json.loads(files[tmp_path / "schedule.json"])["averaged_steps"] == 96


def test_a_study_without_a_complete_trial_has_a_table_only(config, tmp_path):
    assert [file.name for file in artefacts(config, tmp_path, [], None)] == ["trials.csv"]


def test_the_table_is_the_one_that_pandas_writes(config, tmp_path):
    trials = [trial(1 / 3), replace(trial(None), params={"lr": 1e-5, "x, y": 'a "b"'}), trial(0.5)]
    for some in ([], trials):
        (text,) = artefacts(config, tmp_path, some, None).values()
        assert text == trials_frame(some).to_csv(index=False)


def test_the_command_in_the_best_config_can_be_pasted_into_a_shell(config):
    folder = Path("my résults; $x")
    best = artefacts(config, folder, [trial(0.25)], trial(0.25))[folder / "best.yaml"]
    (command,) = re.findall("`(autolr fit .*?)`", best)
    assert shlex.split(command) == ["autolr", "fit", "my résults; $x/best.yaml"]


def test_a_best_config_is_run_with_the_modules_of_its_study(config, tmp_path):
    best = tmp_path / "best.yaml"
    best.write_text(artefacts(config, tmp_path, [trial(0.25)], trial(0.25))[best])
    assert config.folder == Path.cwd() != tmp_path
    assert read_run(str(best)).folder == config.folder
    assert best_of(str(best)) == "study some (trial 3, val_loss 0.25)"
    other = tmp_path / "other.yaml"
    other.write_text("model: {class_path: some.Model}\n")
    assert read_run(str(other)).folder == tmp_path
    assert best_of(str(other)) is None

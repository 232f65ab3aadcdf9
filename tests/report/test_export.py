import json
from pathlib import Path

import pytest
import yaml

from autolr import schedules
from autolr.candidate import Candidate
from autolr.config import Config, read_config
from autolr.report import best_config, has_artefacts, read_run, write_artefacts
from autolr.study import TrialRecord

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
    files = write_artefacts(config, tmp_path, [trial(0.25)], trial(0.25))
    assert sorted(file.name for file in files) == ["best.yaml", "schedule.json", "trials.csv"]
    assert has_artefacts(tmp_path, trial(0.25))
    best = tmp_path / "best.yaml"
    assert yaml.safe_load(best.read_text()) == best_config(config, CANDIDATE)
    assert best.read_text().startswith("# The best candidate of study some (trial 3, val_loss 0.25")
    stored = json.loads((tmp_path / "schedule.json").read_text())
    assert (stored["peak"], stored["total_steps"]) == (0.1, 48)
    assert schedules.parse(stored["schedule"]) == CANDIDATE.schedule


def test_a_study_without_a_complete_trial_has_a_table_only(config, tmp_path):
    assert not has_artefacts(tmp_path, None)
    files = write_artefacts(config, tmp_path, [], None)
    assert [file.name for file in files] == ["trials.csv"]
    assert has_artefacts(tmp_path, None)
    assert not has_artefacts(tmp_path, trial(0.25))


def test_a_best_config_is_run_with_the_modules_of_its_study(config, tmp_path):
    write_artefacts(config, tmp_path, [trial(0.25)], trial(0.25))
    assert config.folder == Path.cwd() != tmp_path
    assert read_run(str(tmp_path / "best.yaml")).folder == config.folder
    other = tmp_path / "other.yaml"
    other.write_text("model: {class_path: some.Model}\n")
    assert read_run(str(other)).folder == tmp_path

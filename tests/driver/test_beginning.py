"""What a new study begins with, and a resumed one keeps."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from autolr.candidate import Candidate
from autolr.config import Config, read_config
from autolr.driver.beginning import Beginning, prior_of
from autolr.driver.messages import Checked
from autolr.errors import ConfigError
from autolr.online import ProbeScore
from autolr.online.annealed import default_schedule
from autolr.result.result import Result
from autolr.schedules import constant, linear, parse, transfer
from autolr.study import OWN_PEAK, SEARCHES, Summary, TrialRecord, open_study

STEPS = 900
SEARCHING = Checked(STEPS, searches=True)
LR = {"low": 1e-4, "high": 1e-1, "log": True}


def config(tmp_path: Path, space: dict[str, Any] | None = None, **tune: Any) -> Config:
    section = {"space": space or {"lr": LR}, "storage": f"sqlite:///{tmp_path}/runs.db"}
    return read_config({"model": {}, "tune": section | tune})


def stored(attrs: dict[str, Any], *trials: TrialRecord) -> Summary:
    return Summary("digits", "minimize", {"seed": 0}, attrs, trials)


def rungs(beginning: Beginning, config: Config) -> tuple[int, ...]:
    hyperband = beginning.hyperband(config.tune.pruner, STEPS)
    assert hyperband is not None
    return hyperband.rungs(0)


def test_near_a_known_point_trials_are_judged_at_a_third_else_at_a_ninth_too(
    tmp_path: Path,
) -> None:
    near = config(tmp_path)
    assert rungs(Beginning.of(near, SEARCHING, None), near) == (300,)
    for other in (
        config(tmp_path, online=False),
        config(tmp_path, {"lr": [0.1, 0.01]}),
        config(tmp_path, {"lr": LR, "model.init_args.width": [8, 16]}),
        config(tmp_path, sampler="random"),
    ):
        assert rungs(Beginning.of(other, SEARCHING, None), other) == (100, 300)


@pytest.mark.parametrize(
    ("tune", "checked", "online"),
    [
        ({}, SEARCHING, True),
        ({"sampler": "gp"}, SEARCHING, True),
        ({}, Checked(STEPS), False),  # an objective of the user's own
        ({"online": False}, SEARCHING, False),
        ({"sampler": "random"}, SEARCHING, False),
        ({"sampler": "QMCSampler"}, SEARCHING, False),
    ],
)
def test_where_the_first_trial_searches(
    tmp_path: Path, tune: dict[str, Any], checked: Checked, online: bool
) -> None:
    assert Beginning.of(config(tmp_path, **tune), checked, None).online == online


def test_a_study_goes_on_with_the_rungs_that_it_was_begun_with(tmp_path: Path) -> None:
    present = config(tmp_path)
    trial = TrialRecord(0, "COMPLETE", 0.5, {}, {}, {})
    before = Beginning.of(present, SEARCHING, stored({}, trial))  # of a version without a search
    assert (before.online, rungs(before, present)) == (False, (100, 300))
    handle = open_study(f"sqlite:///{tmp_path}/runs.db", "digits")
    begun = Beginning(online=True, brackets=4, prior={"fixed": 0.02})
    begun.apply(handle)
    attrs = {name: handle.attr(name) for name in (SEARCHES, "brackets", "prior")}
    handle.close()
    assert Beginning.of(present, SEARCHING, stored(attrs)) == begun
    assert rungs(begun, present) == (33, 100, 300)


def test_the_users_own_first_rung_counts(tmp_path: Path) -> None:
    given = config(tmp_path, pruner={"name": "hyperband", "min_steps": 40})
    assert rungs(Beginning.of(given, SEARCHING, None), given) == (100, 300)
    given = config(tmp_path, pruner={"name": "hyperband", "min_steps": 30})
    assert rungs(Beginning.of(given, SEARCHING, None), given) == (33, 100, 300)


def test_a_prior_is_the_result_of_a_search(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    schedule = default_schedule(())
    scores = [ProbeScore(Candidate("fixed", x, schedule), 0, 9, x, x > 0.05) for x in (0.01, 0.08)]
    Result(0.08, schedule, tuple(scores), 10, STEPS, 3).save(tmp_path / "found")
    for named in ("found", "found/result.json", str(tmp_path / "found")):
        moved = prior_of(config(tmp_path, prior=named), 4 * STEPS)
        assert moved == {"fixed": pytest.approx(0.5 * 0.04, rel=0.01)}


def test_a_prior_is_the_best_trial_of_each_rule_of_an_earlier_study(tmp_path: Path) -> None:
    handle = open_study(f"sqlite:///{tmp_path}/runs.db", "earlier")
    for value, rule, peak in [(0.4, "fixed", 0.3), (0.2, "fixed", 0.1), (0.9, "momo", 2.0)]:
        found = Candidate(rule, peak, linear()).to_dict()
        handle.complete(handle.ask(), value, {"found": found, "run_steps": STEPS})
    handle.close()
    rules = {"rule": ["fixed", "momo"], "lr": LR}
    given = config(tmp_path, rules, prior="earlier")
    plateau = transfer(1.0, linear(), STEPS, parse("wsd"))
    expected = {"fixed": 0.1 * plateau, "momo": 2.0 * plateau}
    assert prior_of(given, STEPS) == pytest.approx(expected, rel=1e-12)
    longer = {rule: peak / 2 for rule, peak in expected.items()}
    assert prior_of(given, 4 * STEPS) == pytest.approx(longer, rel=0.01)


def test_the_module_s_own_scheduler_of_an_earlier_study_counts_as_a_linear_decay(
    tmp_path: Path,
) -> None:
    handle = open_study(f"sqlite:///{tmp_path}/runs.db", "earlier")
    found = Candidate("fixed", 0.1, constant()).to_dict()
    handle.complete(handle.ask(), 0.4, {"found": found, "run_steps": STEPS, OWN_PEAK: 0.3})
    handle.close()
    moved = prior_of(config(tmp_path, prior="earlier"), STEPS)
    assert moved == pytest.approx({"fixed": transfer(0.1, linear(), STEPS, parse("wsd"))})


def test_a_prior_of_another_optimizer_or_rule_is_refused(tmp_path: Path) -> None:
    schedule = default_schedule(())
    scores = [ProbeScore(Candidate("fixed", x, schedule), 0, 9, x, x > 0.05) for x in (0.01, 0.08)]
    found = Result(0.08, schedule, tuple(scores), 10, STEPS, 3, optimizer="SGD")
    found.save(tmp_path / "found")
    replace(found, rule="momo").save(tmp_path / "momo")
    handle = open_study(f"sqlite:///{tmp_path}/runs.db", "earlier")
    Beginning(optimizer="SGD").apply(handle)
    trial = {"found": Candidate("fixed", 0.1, linear()).to_dict(), "run_steps": STEPS}
    handle.complete(handle.ask(), 0.4, trial)
    handle.close()
    other = "^tune.prior must be a search of AdamW, got 'a search of SGD'$"
    for named in (str(tmp_path / "found"), "earlier"):
        given = config(tmp_path, prior=named)
        assert prior_of(given, STEPS, "SGD").keys() == {"fixed"}
        with pytest.raises(ConfigError, match=other):
            Beginning.of(given, Checked(STEPS, searches=True, optimizer="AdamW"), None)
    with pytest.raises(ConfigError, match="must be a search that chose fixed, got 'one that chose"):
        prior_of(config(tmp_path, prior=str(tmp_path / "momo")), STEPS)
    with pytest.raises(ConfigError, match=r"^tune.prior must be a study of momo, got "):
        prior_of(config(tmp_path, {"rule": "momo", "lr": LR}, prior="earlier"), STEPS)


def test_a_prior_that_is_none_is_named(tmp_path: Path) -> None:
    open_study(f"sqlite:///{tmp_path}/runs.db", "empty").close()
    Result(None, constant(), (), 0, 100, 0, kept_peak=0.1).save(tmp_path)
    for named, message in [
        ("missing.json", r"^tune.prior must be a file that exists, or the name of a study, got"),
        ("emty", r"^tune.prior: unknown study 'emty'.*did you mean 'empty'"),
        ("empty", r"^tune.prior: study 'empty' has no complete trial with a peak$"),
        (str(tmp_path / "result.json"), "^tune.prior: its search found no peak$"),
    ]:
        with pytest.raises(ConfigError, match=message):
            prior_of(config(tmp_path, prior=named), STEPS)

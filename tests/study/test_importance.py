"""Which parameters decide about the score of a study."""

import math
import random
from dataclasses import replace

import optuna
import pytest
from optuna.importance import PedAnovaImportanceEvaluator

from autolr.study import Summary, TrialRecord, importances

NAN = math.nan
SPACE = {
    "lr": {"low": 1e-4, "high": 1.0, "log": True, "type": "float"},
    "width": {"choices": [8, 16, 32]},
    "cooldown": {"low": 0.1, "high": 0.5, "log": False, "type": "float"},
}


def study_of(count: int, direction: str = "minimize") -> Summary:
    """Return trials whose score is the distance of the rate from 0.01, in decades."""
    draw = random.Random(3)
    trials = []
    for number in range(count):
        rate = 10 ** draw.uniform(-4, 0)
        params = {"lr": rate, "width": (8, 16, 32)[number % 3]}
        if number % 2:
            params["cooldown"] = draw.uniform(0.1, 0.5)
        score = abs(math.log10(rate) + 2)
        value = score if direction == "minimize" else -score
        trials.append(TrialRecord(number, "COMPLETE", value, params, {}, {}))
    return Summary("s", direction, {"space": SPACE}, {}, tuple(trials))  # type: ignore[arg-type]


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_the_parameter_that_alone_makes_the_score_has_most_of_it(direction: str) -> None:
    shares = importances(study_of(60, direction))
    assert next(iter(shares)) == "lr"
    assert shares["lr"] > 0.8
    assert set(shares) == {"lr", "width", "cooldown"}
    assert sum(shares.values()) == pytest.approx(1)


def test_it_is_that_of_optuna_on_its_own_study() -> None:
    own = study_of(40)
    twin = optuna.create_study()
    lrs = [trial.params["lr"] for trial in own.trials]
    for trial in own.trials:
        domains: dict[str, optuna.distributions.BaseDistribution] = {
            "lr": optuna.distributions.FloatDistribution(min(lrs), max(lrs), log=True),
            "width": optuna.distributions.CategoricalDistribution((8, 16, 32)),
        }
        params = {name: trial.params[name] for name in domains}
        made = optuna.trial.create_trial(params=params, distributions=domains, value=trial.value)
        twin.add_trial(made)
    expected = PedAnovaImportanceEvaluator(target_quantile=0.25).evaluate(twin)
    shares = importances(own)
    ratio = expected["width"] / expected["lr"]
    assert shares["width"] / shares["lr"] == pytest.approx(ratio, rel=0.1)  # (order of choices)


def test_few_trials_and_failures_say_nothing() -> None:
    few = study_of(19)
    assert importances(few) == {}
    bad = [TrialRecord(n, "FAIL", None, {"lr": 0.1}, {}, {}) for n in range(19, 30)]
    open_ones = [TrialRecord(n, "RUNNING", None, {"lr": 0.1}, {}, {9: 1.0}) for n in range(30, 40)]
    assert importances(Summary("s", "minimize", {}, {}, (*few.trials, *bad, *open_ones))) == {}


def test_pruned_and_diverged_trials_are_worse_than_those_that_were_not() -> None:
    whole = study_of(40)
    cut = [
        trial
        if (trial.value or 0.0) < 0.3
        else replace(
            trial, state="PRUNED", value=None, scores={9: (trial.value or 0.0) if n % 2 else NAN}
        )
        for n, trial in enumerate(whole.trials)
    ]
    assert sum(trial.state == "COMPLETE" for trial in cut) < 10
    shares = importances(replace(whole, trials=tuple(cut)))
    assert next(iter(shares)) == "lr"
    assert shares["lr"] > 0.8


def test_equal_scores_and_equal_parameters_say_nothing() -> None:
    flat = [TrialRecord(n, "COMPLETE", 1.0, {"lr": 0.1 * n}, {}, {}) for n in range(20)]
    assert importances(Summary("s", "minimize", {}, {}, tuple(flat))) == {}
    same = [TrialRecord(n, "COMPLETE", 0.1 * n, {"lr": 0.1}, {}, {}) for n in range(20)]
    assert importances(Summary("s", "minimize", {}, {}, tuple(same))) == {}


def test_a_study_of_another_tool_needs_no_space() -> None:
    known = study_of(60)
    shares = importances(Summary("s", "minimize", {"space": "none"}, {}, known.trials))
    assert next(iter(shares)) == "lr"

"""Candidates: from suggested values to a rule, a peak and a schedule."""

import dataclasses
import json
import pickle
import re
import subprocess
import sys

import numpy as np
import pytest

from autolr import schedules
from autolr.candidate import Candidate, candidate_of
from autolr.candidate_space import check_space
from autolr.errors import ConfigError, SpaceError
from autolr.space import parse_space


def test_the_default_is_the_fixed_rule_with_a_linear_schedule_and_an_online_peak() -> None:
    assert Candidate() == Candidate("fixed", None, schedules.linear(), ())
    assert candidate_of({}) == Candidate()


def test_values_become_peak_schedule_and_settings() -> None:
    values = {"lr": 0.1, "schedule": "uba", "phi": 3.0, "model.b": 2, "model.a": "x"}
    expected = Candidate("fixed", 0.1, schedules.uba(3.0), (("model.a", "x"), ("model.b", 2)))
    assert candidate_of(values) == expected
    assert candidate_of(dict(reversed(values.items()))) == expected


def test_a_warm_up_is_put_before_profiles_that_have_none() -> None:
    for name in ("linear", "cosine", "constant", "uba"):
        result = candidate_of({"schedule": name, "warmup": 0.1}).schedule
        assert result == schedules.warmup(0.1) | schedules.parse(name)


def test_a_warm_up_of_zero_is_none() -> None:
    assert candidate_of({"schedule": "cosine", "warmup": 0}).schedule == schedules.cosine()
    assert (
        candidate_of({"schedule": "cosine", "warmup": 0.0}).id
        == candidate_of({"schedule": "cosine"}).id
    )


def test_wsd_takes_its_warm_up_itself() -> None:
    values = {"schedule": "wsd", "warmup": 0.1, "cooldown": 0.4}
    assert candidate_of(values).schedule == schedules.wsd(warmup=0.1, cooldown=0.4)
    peak = candidate_of({**values, "warmup": 0.0}).schedule.at(0, 100)
    assert peak == 1.0  # no rise at all


def test_online_is_no_peak() -> None:
    assert candidate_of({"lr": "online"}).peak is None
    assert candidate_of({"lr": 1}).peak == 1.0


def test_a_rule_brings_its_settings_its_schedule_and_a_peak_that_is_not_searched() -> None:
    result = candidate_of({"rule": "dog", "rule.alpha": 1e-4, "model.rule": 1})
    assert result.rule_settings == (("alpha", 1e-4),)
    assert result.settings == (("model.rule", 1),)
    assert (result.peak, result.schedule) == (1.0, schedules.constant())
    assert candidate_of({"rule": "dog", "lr": "online"}).peak is None
    assert candidate_of({"rule": "sps_max"}).peak is None  # searched, hence found online


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.int64])
def test_numbers_of_numpy_are_stored_as_plain_ones(kind: type) -> None:
    candidate = candidate_of({"lr": kind(2)})
    assert json.loads(json.dumps(candidate.to_dict()))["peak"] == 2.0
    assert candidate == candidate_of({"lr": 2.0})


def test_settings_of_a_rule_are_stored_only_where_there_are_some() -> None:
    assert "rule_settings" not in Candidate().to_dict()
    assert Candidate(peak=0.1).id == "35ea598e41c2"  # as ever: studies go on
    result = candidate_of({"rule": "dog", "rule.eps": 0.1, "rule.alpha": 1e-4})
    assert Candidate.from_dict(json.loads(json.dumps(result.to_dict()))) == result
    assert result.id != candidate_of({"rule": "dog"}).id


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"lr": 0}, "lr must be a finite number above 0, or 'online', got 0"),
        ({"lr": True}, "lr must be a finite number above 0, or 'online', got True"),
        ({"lr": "offline"}, "got 'offline'"),
        ({"lr": float("nan")}, "got nan"),
        ({"lr": 10**400}, "lr must be a finite number"),
        ({"schedule": "cosin"}, "unknown schedule 'cosin'; did you mean 'cosine'?"),
        ({"schedule": 3}, "unknown schedule 3"),
        ({"schedule": "chain"}, "unknown schedule 'chain'"),
        ({"schedule": "linear", "phi": 1.0}, "phi"),
        ({"schedule": "uba", "phi": -1.0}, "phi of uba must be a number above 0, got -1.0"),
        ({"warmup": 1.0}, "warmup must be a share of the run, at least 0 and below 1, got 1.0"),
        ({"warmup": 100, "schedule": "wsd"}, "warmup must be a share"),
        ({"warmup": False}, "warmup must be a share"),
        ({"rule": "polyak"}, "unknown rule 'polyak'; "),
        ({"lr": 0.1, "lr.b": 0.2}, "a candidate must have one lr, got another one: lr.b"),
        ({"rule": "dog", "rule.alhpa": 1.0}, "dog has no setting 'alhpa'; it takes: alpha, eps"),
        ({"rule": "dog", "rule.alpha": -1.0}, "alpha of DoG must be a number above 0, got -1.0"),
    ],
)
def test_a_refused_value_is_named_in_one_line(values: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        candidate_of(values)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


CANDIDATE = candidate_of({"lr": 0.1, "schedule": "wsd", "model.b": 2, "model.a": None})


def test_a_candidate_is_a_frozen_value() -> None:
    assert pickle.loads(pickle.dumps(CANDIDATE)) == CANDIDATE
    assert hash(CANDIDATE) == hash(dataclasses.replace(CANDIDATE))
    with pytest.raises(dataclasses.FrozenInstanceError):
        CANDIDATE.peak = 1.0  # type: ignore[misc]


def test_the_dict_survives_json_with_its_id() -> None:
    result = Candidate.from_dict(json.loads(json.dumps(CANDIDATE.to_dict())))
    assert result == CANDIDATE
    assert result.id == CANDIDATE.id
    assert Candidate.from_dict({"peak": 0.1}) == Candidate(peak=0.1)


def test_a_stored_candidate_with_an_unknown_key_is_refused() -> None:
    with pytest.raises(ConfigError, match="unknown key of a candidate 'peek'; did you mean 'peak'"):
        Candidate.from_dict({"peek": 0.1})


def test_the_id_is_twelve_hex_digits_and_differs_where_the_candidate_does() -> None:
    others = [
        Candidate(),
        Candidate(peak=0.1),
        Candidate(peak=0.2),
        Candidate(schedule=schedules.cosine()),
        Candidate(settings=(("model.a", 1),)),
        Candidate(settings=(("model.a", "1"),)),
        CANDIDATE,
    ]
    ids = {candidate.id for candidate in others}
    assert len(ids) == len(others)
    assert all(re.fullmatch("[0-9a-f]{12}", result) for result in ids)


def test_the_id_is_the_same_in_another_process() -> None:
    code = f"print(Candidate.from_dict({CANDIDATE.to_dict()!r}).id)"
    command = [sys.executable, "-c", f"from autolr.candidate import Candidate; {code}"]
    out = subprocess.run(command, capture_output=True, text=True, check=True)
    assert out.stdout.strip() == CANDIDATE.id


def test_a_good_space_passes() -> None:
    check_space(
        parse_space(
            {
                "lr": {"low": 1e-4, "high": 1, "log": True},
                "schedule": ["linear", "wsd", "uba"],
                "warmup": {"low": 0, "high": 0.1},
                "cooldown": {"low": 0.1, "high": 0.5, "when": {"schedule": "wsd"}},
                "phi": {"low": 0.1, "high": 10, "when": {"schedule": ["uba"]}},
                "rule": "fixed",
                "model.width": [1, 2],
            }
        )
    )
    check_space(parse_space({"lr": "online", "model.width": [1, 2]}))
    check_space(parse_space({"schedule": "wsd", "cooldown": [0.1, 0.2]}))
    deep = {"choices": ["linear", "1-sqrt"], "when": {"m.x": 1}}  # only when wsd, by its parent
    check_space(
        parse_space(
            {
                "schedule": ["cosine", "wsd"],
                "m.x": {"choices": [1], "when": {"schedule": "wsd"}},
                "shape": deep,
            }
        )
    )


def test_a_space_may_have_a_rate_and_a_schedule_for_each_rule() -> None:
    space = parse_space(
        {
            "rule": ["fixed", "sps_max", "dog"],
            "lr.fixed": {"choices": ["1e-2", 0.1], "when": {"rule": "fixed"}},
            "lr.polyak": {"low": 0.1, "high": 10, "when": {"rule": "sps_max"}},
            "schedule": {"choices": ["cosine", "wsd"], "when": {"rule": "fixed"}},
            "schedule.polyak": {"choices": ["constant"], "when": {"rule": "sps_max"}},
            "cooldown": {"low": 0.1, "high": 0.5, "when": {"schedule": "wsd"}},
            "rule.alpha": {"low": 1e-6, "high": 1e-2, "log": True, "when": {"rule": "dog"}},
        }
    )
    check_space(space)
    values = {"rule": "fixed", "lr.fixed": 0.01, "schedule": "wsd", "cooldown": 0.3}
    assert space.active(values) == ("rule", "lr.fixed", "schedule", "cooldown")
    assert candidate_of(values) == Candidate("fixed", 0.01, schedules.wsd(cooldown=0.3))
    polyak = candidate_of({"rule": "sps_max", "lr.polyak": 2.0, "schedule.polyak": "constant"})
    assert polyak == Candidate("sps_max", 2.0, schedules.constant())
    result = candidate_of({"rule": "dog", "rule.alpha": 1e-3})
    assert result == Candidate("dog", 1.0, schedules.constant(), (), (("alpha", 1e-3),))


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({"rule": {"low": 0, "high": 1}}, "rule must be a rule's name or a list of names"),
        (
            {"rule": ["fixed", "dog"], "rule.alpha": 1e-3},
            "rule fixed, schedule linear: fixed has no setting 'alpha'; it takes: weight_decay",
        ),
        ({"rule": "dog", "rule.alpha": [1e-3, -1]}, "alpha of DoG must be a number above 0"),
        (
            {
                "rule": ["fixed", "dog"],
                "lr": 0.1,
                "lr.dog": {"choices": [1], "when": {"rule": "dog"}},
            },
            "lr and lr.dog may both exist in one candidate; add when: {rule: [...]} to lr.dog",
        ),
        ({"lr": 0.1, "lr.b": 0.2}, "lr and lr.b may both exist in one candidate"),
        ({"lr.x": ["0"]}, "lr must be a finite number above 0"),
        ({"schedule.x": ["cosin"]}, "unknown schedule 'cosin'"),
        (
            {
                "rule": ["fixed", "dog"],
                "schedule": {"choices": ["wsd"], "when": {"rule": "fixed"}},
                "cooldown": 0.1,
            },
            "cooldown: constant does not take it; add when: {schedule: [wsd]}",
        ),
        ({"lr": 0}, "lr must be a finite number above 0"),
        (
            {"lr": [0.1, "offline"]},
            "lr must be a finite number above 0, or 'online', got 'offline'",
        ),
        ({"lr": {"low": 0, "high": 1}}, "lr must be a finite number above 0"),
        ({"schedule": ["linear", "cosin"]}, "unknown schedule 'cosin'; did you mean 'cosine'?"),
        ({"schedule": {"low": 0, "high": 1}}, "schedule must be a profile's name"),
        ({"warm_up": 0.1}, "unknown parameter 'warm_up'; did you mean 'warmup'?"),
        ({"hidden": [1, 2]}, "or a path into the config, such as model.init_args.hidden"),
        ({"schedule": "linear", "phi": 1.0}, "unknown parameter 'phi'"),
        (
            {"schedule": ["linear", "uba"], "phi": 1.0},
            "phi: linear does not take it; add when: {schedule: [uba]}",
        ),
        (
            {
                "schedule": ["cosine", "linear", "wsd"],
                "final": 0.1,
                "cooldown": {"low": 0.1, "high": 0.2, "when": {"schedule": ["wsd", "linear"]}},
            },
            "cooldown: linear does not take it",
        ),
        (
            {"schedule": "uba", "phi": {"low": 0, "high": 1}},
            "schedule uba: phi of uba must be a number above 0, got 0",
        ),
        ({"schedule": "rex", "beta": {"low": 0, "high": 1}}, "schedule rex: beta"),
        (
            {
                "schedule": "wsd",
                "warmup": {"low": 0, "high": 0.6},
                "cooldown": {"low": 0.1, "high": 0.5},
            },
            "schedule wsd: ",
        ),
        (
            {"schedule": "sgdr", "cycles": {"low": 1, "high": 4}},
            "cycles of sgdr must be a whole number",
        ),
        ({"schedule": "wsd", "shape": ["linear", "round"]}, "shape of wsd must be one of"),
        ({"warmup": {"low": 0, "high": 200}}, "warmup must be a share of the run"),
        ({"rule": ["fixed", "polyak"]}, "unknown rule 'polyak'"),
        (
            {"schedule": {"choices": ["wsd"], "when": {"m.x": 1}}, "m.x": [0, 1], "cooldown": 0.1},
            "cooldown: linear does not take it; add when: {schedule: [wsd]}",
        ),
    ],
)
def test_a_space_of_no_candidates_is_refused_in_one_line(mapping: object, message: str) -> None:
    with pytest.raises(SpaceError, match=r"^my\.yaml: ") as error:
        check_space(parse_space(mapping), "my.yaml")
    assert message in str(error.value)
    assert "\n" not in str(error.value)

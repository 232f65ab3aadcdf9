"""Search spaces: parsing, conditions, suggestion with real Optuna trials."""

import dataclasses
import json
import pickle
import random
from itertools import pairwise

import optuna
import pytest

from autolr.errors import SpaceError, unknown_name
from autolr.space import Choice, Space, Trial, parse_space

optuna.logging.set_verbosity(optuna.logging.WARNING)

FULL = {
    "cooldown": {"low": 0.1, "high": 0.5, "when": {"schedule": "wsd"}},
    "lr": {"low": 1e-4, "high": 1e-1, "log": True},
    "schedule": ["linear", "cosine", "wsd", "uba"],
    "phi": {"low": 0.1, "high": 10, "log": True, "when": {"schedule": ["uba"]}},
    "model.init_args.hidden": [16, 32, 64],
    "data.init_args.batch_size": {"low": 16, "high": 128, "log": True, "type": "int"},
    "model.init_args.bias": {
        "choices": [True, False],
        "when": {"model.init_args.hidden": [16, 32]},
    },
    "model.init_args.name": "mlp",
}


def suggested(space: Space, number: int, seed: int = 0) -> list[dict[str, object]]:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    return [dict(space.suggest(study.ask())) for _ in range(number)]


def test_a_parameter_comes_after_those_it_depends_on_and_else_keeps_its_place() -> None:
    assert parse_space(FULL).names == (
        "lr",
        "schedule",
        "cooldown",
        "phi",
        "model.init_args.hidden",
        "data.init_args.batch_size",
        "model.init_args.bias",
        "model.init_args.name",
    )


def test_any_order_of_the_file_gives_parents_first() -> None:
    chain = {"p0": [0, 1]} | {
        f"p{i}": {"choices": [0, 1], "when": {f"p{i - 1}": 1}} for i in range(1, 6)
    }
    for seed in range(20):
        items = list(chain.items())
        random.Random(seed).shuffle(items)
        assert parse_space(dict(items)).names == ("p0", "p1", "p2", "p3", "p4", "p5")


def test_a_space_is_a_frozen_value() -> None:
    space = parse_space(FULL)
    assert hash(space) == hash(parse_space(FULL))
    assert pickle.loads(pickle.dumps(space)) == space
    with pytest.raises(dataclasses.FrozenInstanceError):
        space.parameters = ()  # type: ignore[misc]


def test_the_dict_survives_json_and_is_the_same_for_any_writing() -> None:
    space = parse_space(FULL)
    assert Space.from_dict(json.loads(json.dumps(space.to_dict()))) == space
    assert parse_space(space.to_dict()).to_dict() == space.to_dict()
    written = dict(reversed(FULL.items())) | {"model.init_args.name": {"choices": "mlp"}}
    assert parse_space(written).to_dict() == space.to_dict()


def test_what_is_suggested_is_inside_the_domain_and_exactly_what_is_active() -> None:
    space = parse_space(FULL)
    for values in suggested(space, 200):
        assert tuple(values) == space.active(values)
        for name, value in values.items():
            domain = space.domains[name]
            if isinstance(domain, Choice):
                assert value in domain.options
            else:
                assert isinstance(value, int if domain.integer else float)
                assert domain.low <= value <= domain.high


def test_a_peak_is_drawn_last_and_keeps_its_place() -> None:
    trial = optuna.create_study().ask()
    point = parse_space({"lr.a": FULL["lr"], "schedule": ["linear"], "warmup": 0.1}).suggest(trial)
    assert list(trial.params) == ["schedule", "warmup", "lr.a"]
    assert list(point) == ["lr.a", "schedule", "warmup"]
    online = {"lr": [0.1], "schedule": {"choices": ["linear"], "when": {"lr": 0.1}}}
    assert parse_space(online).suggest(optuna.create_study().ask())["schedule"] == "linear"


def test_an_inactive_parameter_is_absent_and_takes_its_dependents_with_it() -> None:
    space = parse_space(
        {
            "a": [0, 1],
            "b": {"choices": [0, 1], "when": {"a": 1}},
            "c": {"choices": [0, 1], "when": {"b": [0, 1]}},
        }
    )
    assert space.suggest(optuna.trial.FixedTrial({"a": 0})) == {"a": 0}
    assert space.suggest(optuna.trial.FixedTrial({"a": 1, "b": 0, "c": 1})) == {
        "a": 1,
        "b": 0,
        "c": 1,
    }
    assert space.active({"a": 0, "b": 1, "c": 1}) == ("a",)
    assert space.active({}) == ("a",)


def test_all_conditions_must_hold() -> None:
    space = parse_space({"a": [0, 1], "b": [0, 1], "c": {"choices": [0], "when": {"a": 1, "b": 1}}})
    result = {(v["a"], v["b"]): "c" in v for v in suggested(space, 60)}
    assert result == {(0, 0): False, (0, 1): False, (1, 0): False, (1, 1): True}


def test_a_range_in_logs_halves_at_its_geometric_mean() -> None:
    values = [v["lr"] for v in suggested(parse_space({"lr": FULL["lr"]}), 400)]
    below = sum(isinstance(v, float) and v < 10**-2.5 for v in values)
    assert 150 < below < 250  # 200 expected, standard deviation 10


def test_optunas_trials_have_what_a_space_needs() -> None:
    trial: Trial = optuna.create_study().ask()
    assert parse_space({"lr": 0.1}).suggest(trial) == {"lr": 0.1}


def test_the_size_counts_every_point_once() -> None:
    space = parse_space(
        {
            "a": [0, 1, 2],
            "b": {"choices": [0, 1], "when": {"a": [1, 2]}},
            "c": {"low": 1, "high": 4, "type": "int", "when": {"b": 1}},
            "d": [True, False],
        }
    )
    assert space.size == 2 * (1 + 2 * (1 + 4))
    assert len({tuple(v.items()) for v in suggested(space, 2000)}) == space.size
    assert parse_space(FULL).size is None


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({}, "a space needs at least one parameter"),
        (None, "a space must be a mapping from names to domains, got None"),
        (["lr"], "a space must be a mapping"),
        ({3: 1}, "a parameter's name must be unique and look like lr"),
        ({"a b": 1}, "'a b'"),
        ({"a..b": 1}, "'a..b'"),
        (
            {"a": {"choices": [1], "when": {"b": 1}}, "b": {"choices": [1], "when": {"a": 1}}},
            "a, b: when must not form a cycle",
        ),
    ],
)
def test_a_refused_space_is_explained_in_one_line(mapping: object, message: str) -> None:
    with pytest.raises(SpaceError, match=r"^my\.yaml: ") as error:
        parse_space(mapping, source="my.yaml")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_space_made_in_python_is_checked_too() -> None:
    with pytest.raises(SpaceError, match="unique"):
        Space((("lr", Choice((1,))), ("lr", Choice((2,)))))
    child = ("x", Choice((1,), when=(("y", (1,)),)))
    assert Space((child, ("y", Choice((1, 2))))).names == ("y", "x")


def test_the_nearest_name_is_offered_only_if_there_is_one() -> None:
    assert "did you mean" not in unknown_name("key", "zzz", ["low", "high"])
    assert "did you mean" not in unknown_name("key", 7, ["low", "high"])


def test_the_order_of_equal_rank_parameters_is_that_of_the_file() -> None:
    names = [f"m.p{i}" for i in random.Random(1).sample(range(100), 30)]
    result = parse_space(dict.fromkeys(names, 1)).names
    assert all(names.index(a) < names.index(b) for a, b in pairwise(result))

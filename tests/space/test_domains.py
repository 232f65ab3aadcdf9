"""Domains: what a config writes, read as values, and refused in one line."""

import pytest

from autolr.errors import SpaceError
from autolr.space import Choice, Range, parse_space


def test_the_short_forms_become_values() -> None:
    domains = parse_space(
        {
            "cooldown": {"low": 0.1, "high": 0.5, "when": {"schedule": "wsd"}},
            "lr": {"low": 1e-4, "high": 1e-1, "log": True},
            "schedule": ["linear", "cosine", "wsd", "uba"],
            "data.init_args.batch_size": {"low": 16, "high": 128, "log": True, "type": "int"},
            "model.init_args.name": "mlp",
        }
    ).domains
    assert domains["lr"] == Range(1e-4, 1e-1, log=True)
    assert domains["schedule"] == Choice(("linear", "cosine", "wsd", "uba"))
    assert domains["data.init_args.batch_size"] == Range(16, 128, log=True, integer=True)
    assert domains["model.init_args.name"] == Choice(("mlp",))
    assert domains["cooldown"] == Range(0.1, 0.5, when=(("schedule", ("wsd",)),))


def test_numbers_that_yaml_reads_as_strings_are_numbers() -> None:
    assert parse_space({"lr": {"low": "1e-4", "high": "1e-1", "log": True}}) == parse_space(
        {"lr": {"low": 1e-4, "high": 1e-1, "log": True}}
    )
    assert parse_space({"lr": "1e-3"}).domains["lr"] == Choice((1e-3,))
    assert parse_space({"lr": ["1e-3", "1e-2"]}).domains["lr"] == Choice((1e-3, 1e-2))
    assert parse_space({"lr": "online"}).domains["lr"] == Choice(("online",))
    assert parse_space({"model.tag": "1e-3"}).domains["model.tag"] == Choice(("1e-3",))


def test_a_domain_made_in_python_is_checked_too() -> None:
    with pytest.raises(SpaceError, match="low must be less than high"):
        Range(2, 1)


REFUSED: list[tuple[str, object, str]] = [
    ("lr", {"low": 1, "hihg": 2}, "unknown key 'hihg'; did you mean 'high'?"),
    ("lr", {"low": 0.2, "high": 0.1}, "low must be less than high, 0.1, got 0.2"),
    ("lr", {"low": 0.1, "high": 0.1}, "low must be less than high"),
    ("lr", {"low": 0, "high": 1, "log": True}, "low must be above 0 with log: true, got 0"),
    ("lr", {"low": True, "high": 2}, "low must be a finite number, got True"),
    ("lr", {"low": 0, "high": float("inf")}, "high must be a finite number, got inf"),
    ("lr", {"low": 0, "high": "1e999"}, "high must be a finite number, got '1e999'"),
    ("lr", {"low": 0, "high": 10**400}, "high must be a finite number"),
    ("lr", {"low": "small", "high": 1}, "low must be a finite number, got 'small'"),
    ("lr", {"low": 0, "high": None}, "high must be a finite number, got None"),
    (
        "lr",
        {"low": 0.5, "high": 3, "type": "int"},
        "low must be a whole number with type: int, got 0.5",
    ),
    ("lr", {"low": 0, "high": 1, "log": "yes"}, "log must be true or false, got 'yes'"),
    ("lr", {"low": 0, "high": 1, "type": "long"}, "type must be int or float, got 'long'"),
    ("lr", {"high": 1}, "given with low and high"),
    ("lr", {}, "given with low and high"),
    ("lr", {"choices": [1], "low": 0}, "choices cannot be combined with low"),
    ("lr", [], "choices must be a list of at least one value, got []"),
    ("lr", {"choices": []}, "choices must be a list of at least one value, got []"),
    ("lr", [0.1, 0.2, 0.1], "choices must all differ, got 0.1 twice"),
    ("m.x", [1, True], "choices must all differ, got True twice"),
    ("m.x", [[1, float("inf")]], "a choice must be a finite number, a string, a bool, null, or a"),
    ("m.x", [{1: 2}], "or a list or mapping of them, got {1: 2}"),
    ("m.x", [[1, 2], [1, 2]], "choices must all differ, got [1, 2] twice"),
    ("m.x", [{"a": 1, "b": 2}, {"b": 2, "a": 1}], "choices must all differ"),
    ("m.x", [[1], "[1]"], "choices must all differ, got '[1]' twice"),
    ("m.x", float("nan"), "a choice must be a finite number"),
    (
        "m.x",
        {"choices": [1], "when": {"schedul": "a"}},
        "unknown parent 'schedul'; did you mean 'schedule'?",
    ),
    ("m.x", {"choices": [1], "when": {"m.x": 1}}, "unknown parent 'm.x'"),
    (
        "m.x",
        {"choices": [1], "when": {"schedule": "c"}},
        "when: unknown schedule 'c'; it must be one of: a, b",
    ),
    ("m.x", {"choices": [1], "when": {"schedule": ["a", "c"]}}, "unknown schedule 'c'"),
    (
        "m.x",
        {"choices": [1], "when": {"warmup": 0.1}},
        "when must name a choice, got 'warmup', a range",
    ),
    (
        "m.x",
        {"choices": [1], "when": {"schedule": []}},
        "a value or a list of at least one, got []",
    ),
    (
        "m.x",
        {"choices": [1], "when": "wsd"},
        "when must be a mapping such as {schedule: wsd}, got 'wsd'",
    ),
    ("m.x", {"choices": [1], "when": {}}, "when must be a mapping"),
]


@pytest.mark.parametrize(("name", "domain", "message"), REFUSED)
def test_a_refused_domain_is_named_in_one_line(name: str, domain: object, message: str) -> None:
    others = {"schedule": ["a", "b"], "warmup": {"low": 0, "high": 1}}
    with pytest.raises(SpaceError) as error:
        parse_space({**others, name: domain}, source="my.yaml")
    text = str(error.value)
    assert text.startswith(f"my.yaml: {name}: ")
    assert message in text
    assert "\n" not in text

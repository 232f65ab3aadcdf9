"""The config: strict YAML, the `tune:` section, the fingerprint."""

import dataclasses
import json
import os
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from autolr.config import fingerprint, read_config, set_dotted
from autolr.errors import ConfigError, SpaceError
from autolr.pruner import Pruner
from autolr.search_spaces import load_space
from autolr.space import Range, parse_space
from autolr.strict_yaml import load_yaml
from autolr.tune_config import TuneConfig, parse_tune

CONFIG = """\
seed_everything: 7
trainer: {max_epochs: 3, gradient_clip_val: .inf}
model: {class_path: my.Model, init_args: {hidden: 8, rate: 1e-3}}
tune:
  space:
    lr: {low: 1e-4, high: 1e-1, log: true}
    model.init_args.hidden: [16, 32]
  trials: 5
"""


def one_line(error: pytest.ExceptionInfo[ConfigError]) -> str:
    text = str(error.value)
    assert "\n" not in text
    return text


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG)
    return path


@pytest.mark.parametrize("text", ["1e-4", "1E-4", "+1e-4", "1.0e-4", ".0001", "1e-04", "0.0001"])
def test_every_way_to_write_a_float_is_a_float(tmp_path: Path, text: str) -> None:
    (path := tmp_path / "x.yaml").write_text(f"x: {text}\n")
    assert load_yaml(path) == {"x": 1e-4}


def test_scalars_are_what_lightning_reads(tmp_path: Path) -> None:
    yaml = pytest.importorskip("jsonargparse._loaders_dumpers")
    text = (
        "a: 1e-3\nb: 3\nc: 2020-01-01\nd: on\ne: .inf\nf: '1e-3'\ng: 1_000\nh: ~\ni: 1e3\nj: e3\n"
    )
    (path := tmp_path / "x.yaml").write_text(text)
    assert load_yaml(path) == yaml.yaml_load(text)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "the key 'a' is repeated"),
        ("m:\n  x: 1\n  y: {z: 1, z: 2}\n", 3, "the key 'z' is repeated"),
        ("a: 1\nb: !!python/object/apply:os.system ['touch hacked']\n", 2, "python/object/apply"),
        ("a: !!python/name:os.system\n", 1, "python/name"),
        ("a: !mine 3\n", 1, "!mine"),
        ("a: !!binary aGk=\n", 1, "binary"),
        ("a: [1, 2\nb: 3\n", 2, "','"),
        ("a: 1\n\tb: 2\n", 2, "cannot start any token"),
        ("a: 1\n---\nb: 2\n", 2, "another document"),
        ("a: *nothing\n", 1, "undefined alias"),
        ("{[1]: 2}\n", 1, "unhashable key"),
    ],
)
def test_malformed_yaml_is_refused_with_its_line(
    tmp_path: Path, text: str, line: int, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (path := tmp_path / "x.yaml").write_text(text)
    with pytest.raises(ConfigError) as error:
        load_yaml(path)
    assert one_line(error).startswith(f"{path}, line {line}: ")
    assert message in str(error.value)
    assert os.listdir(tmp_path) == ["x.yaml"]  # nothing was executed


@pytest.mark.parametrize(
    "text",
    ["", "3\n", "- a\n", "a: !!int x\n", "a: !!bool x\n", "a: &b [*b]\n", "a\0b", "[" * 5000],
    ids=["empty", "number", "list", "int", "bool", "loop", "control", "deep"],
)
def test_what_is_no_mapping_is_refused_with_the_file_name(tmp_path: Path, text: str) -> None:
    (path := tmp_path / "x.yaml").write_text(text)
    with pytest.raises(ConfigError) as error:
        load_yaml(path)
    assert one_line(error).startswith(str(path))


def nested(levels: int, item: str, first: str, then: str) -> str:
    """Return YAML in which each of the levels has the one before ten times."""
    lines = [f"a0: &a0 {first}"]
    for level in range(1, levels + 1):
        items = ", ".join(item.format(n=n, alias=f"*a{level - 1}") for n in range(10))
        lines.append(f"a{level}: &a{level} {then % items}")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("item", "first", "then"),
    [
        ("{alias}", "0", "[%s]"),
        ("k{n}: {alias}", "0", "{%s}"),
        ("{alias}", "{k: 0}", "{<<: [%s]}"),
    ],
    ids=["lists", "mappings", "merges"],
)
def test_aliases_may_stand_for_a_limited_number_of_values(
    tmp_path: Path, item: str, first: str, then: str
) -> None:
    (path := tmp_path / "x.yaml").write_text(nested(3, item, first, then))
    assert list(load_yaml(path)) == ["a0", "a1", "a2", "a3"]
    path.write_text(nested(6, item, first, then))  # 10^6: would be slow, but no harm
    with pytest.raises(ConfigError, match="at most 100000 values") as error:
        load_yaml(path)
    assert one_line(error).startswith(f"{path}, line ")


def test_merging_what_one_is_inside_of_is_refused(tmp_path: Path) -> None:
    """Each level merges the one around it ten times: the pairs multiply though no alias nests."""
    text = "x: 0"
    for level in range(4, 0, -1):
        merged = ", ".join([f"*a{level - 1}"] * 10)
        text = f"k{level}: &a{level} {{<<: [{merged}], {text}}}"
    (path := tmp_path / "x.yaml").write_text(f"a: &a0 {{{text}}}\n")
    with pytest.raises(ConfigError, match="line 1: the value contains itself") as error:
        load_yaml(path)
    one_line(error)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"a: \xe9\n")
    for path, message in [
        (tmp_path / "absent.yaml", "No such file or directory"),
        (tmp_path, "Is a directory"),
        (tmp_path / "latin.yaml", "must be text in UTF-8"),
    ]:
        with pytest.raises(ConfigError) as error:
            load_yaml(path)
        assert one_line(error) == f"{path}: {message}"


def test_merged_keys_may_be_overridden(tmp_path: Path) -> None:
    (path := tmp_path / "x.yaml").write_text(
        "a: &a {x: 1, y: 2}\nb: &b {<<: *a, y: 3}\nc: {<<: *b, x: 4}\n"
    )
    assert load_yaml(path) == {"a": {"x": 1, "y": 2}, "b": {"x": 1, "y": 3}, "c": {"x": 4, "y": 3}}


def test_a_mapping_is_copied_and_must_be_what_yaml_can_hold() -> None:
    source: dict[str, Any] = {"a": {"b": [1, (2,)], "c": Path("d")}, "e": {0: 4}}
    result = load_yaml(source)
    assert result == {"a": {"b": [1, [2]], "c": "d"}, "e": {0: 4}}
    result["a"]["b"].append(3)
    assert source["a"]["b"] == [1, (2,)]
    with pytest.raises(ConfigError, match=r"^config\.model\.x must be what YAML can hold") as error:
        load_yaml({"model": {"x": {1}}})
    one_line(error)
    with pytest.raises(ConfigError, match=r"a key of config\.model must be"):
        load_yaml({"model": {(1, 2): 3}})


def test_an_absent_or_empty_section_has_the_defaults() -> None:
    assert parse_tune(None) == parse_tune({}) == TuneConfig()
    config = TuneConfig()
    assert (config.space, config.monitor, config.mode, config.trials) == (
        "default",
        "val_loss",
        "min",
        30,
    )
    assert (config.timeout, config.workers, config.engine) == (None, 1, "local")
    assert (config.pruner, config.sampler) == (Pruner("hyperband", 3, None), "tpe")
    assert (config.storage, config.study) == ("sqlite:///autolr.db", "autolr")
    assert config.folder == Path("autolr_runs/autolr")


def test_the_mode_is_what_is_written_else_what_the_monitors_name_says() -> None:
    assert parse_tune({"monitor": "val_acc"}).mode == "max"
    assert parse_tune({"monitor": "val_acc"}).direction == "maximize"
    assert parse_tune({"monitor": "val_acc", "mode": "min"}).direction == "minimize"
    assert parse_tune({"monitor": "val_score", "mode": "max"}).direction == "maximize"
    assert parse_tune({"mode": None}).direction == "minimize"
    with pytest.raises(ConfigError, match=r"^tune\.mode must be 'min' or 'max': the name 'reward'"):
        assert parse_tune({"monitor": "reward"}).direction


def test_another_monitor_comes_with_its_own_mode() -> None:
    assert parse_tune({}).override(monitor="val_acc").mode == "max"
    assert parse_tune({"mode": "min"}).override(monitor="val_acc", mode="min").mode == "min"
    assert parse_tune({"monitor": "val_acc"}).override(trials=3).mode == "max"
    assert parse_tune({"monitor": "val_acc", "mode": "min"}).override(trials=3).mode == "min"
    assert parse_tune({}).override(monitor="reward").mode is None


@pytest.mark.parametrize(
    ("left_out", "written"),
    [
        ({}, {"monitor": "val_loss", "mode": "min"}),
        ({"monitor": "val_acc"}, {"monitor": "val_acc", "mode": "max"}),
    ],
)
def test_a_mode_that_the_name_says_has_the_fingerprint_of_one_that_is_written(
    left_out: dict[str, str], written: dict[str, str]
) -> None:
    def of(section: dict[str, str]) -> dict[str, Any]:
        return fingerprint(read_config({"model": {}, "tune": {"space": {"lr": 0.1}, **section}}))

    assert of(left_out) == of(written)
    assert of(left_out)["mode"] == written["mode"]


def test_two_objectives_are_pruned_by_none_and_one_by_hyperband() -> None:
    assert parse_tune({"objective": ["val_loss", "cost"]}).pruner == Pruner("none")
    assert parse_tune({"objective": ["val_loss", "cost"]}).cost == "steps"
    assert parse_tune({}).override(objective=["val_loss", "seconds"]).pruner == Pruner("none")
    assert parse_tune({}).cost is None


def test_a_fingerprint_of_one_objective_is_what_it_was_before_there_were_two() -> None:
    source = {"model": {}, "tune": {"space": {"lr": 0.1}}}
    parts = ["config", "space", "seed", "monitor", "mode", "pruner", "sampler"]
    assert list(fingerprint(read_config(source))) == parts


def test_a_pruner_may_be_a_name_or_a_mapping() -> None:
    assert parse_tune({"pruner": "none"}).pruner == Pruner("none")
    result = parse_tune({"pruner": {"name": "hyperband", "eta": 4, "min_steps": 100}}).pruner
    assert result == Pruner("hyperband", 4, 100)


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"trails": 3}, "tune: unknown key 'trails'; did you mean 'trials'?"),
        ({3: 3}, "tune: unknown key 3"),
        ([], "tune must be a mapping, got []"),
        *(
            ({"trials": got}, f"tune.trials must be a whole number of at least 1, got {got!r}")
            for got in (-3, 0, "many", True, 2.5, None, "5")
        ),
        ({"workers": 0}, "tune.workers must be a whole number of at least 1, or auto, got 0"),
        ({"trials_per_gpu": 0}, "tune.trials_per_gpu must be a whole number of at least 1, got 0"),
        ({"trials_per_gpu": 1.5}, "tune.trials_per_gpu must be a whole number of at least 1, got"),
        ({"workers": "many"}, "tune.workers must be a whole number of at least 1, or auto, got"),
        ({"trial_timeout": 0}, "tune.trial_timeout must be a number of seconds above 0, or null"),
        ({"pruner": {"pause": 1}}, "tune.pruner.pause must be true or false, got 1"),
        *(
            ({"timeout": got}, f"tune.timeout must be a number of seconds above 0, or null, {end}")
            for got, end in (
                (0, "got 0"),
                (-1, "got -1"),
                (True, "got True"),
                ("1h", "got '1h'"),
                (float("inf"), "got inf"),
                (float("nan"), "got nan"),
            )
        ),
        ({"mode": "minimum"}, "tune.mode must be min or max, got 'minimum'"),
        ({"monitor": ""}, "tune.monitor must be the name of a logged metric, got ''"),
        ({"engine": "a b"}, "tune.engine must be local, ray, remote or a class path, got 'a b'"),
        ({"listen": 80}, "tune.listen must be a host, or null, got 80"),
        ({"sampler": "grid"}, "tune.sampler must be one of tpe, random, gp, cmaes, got 'grid'"),
        ({"pruner": "median"}, "tune.pruner must be hyperband or none, got 'median'"),
        ({"pruner": None}, "tune.pruner must be hyperband or none, got None"),
        (
            {"objective": ["val_loss", "price"]},
            "tune.objective must be ['val_loss', 'cost'] or ['val_loss', 'seconds'], got",
        ),
        ({"objective": ["val_acc", "cost"]}, "tune.objective must be ['val_loss', 'cost'] or"),
        ({"objective": "cost"}, "tune.objective must be ['val_loss', 'cost'] or"),
        (
            {"objective": ["val_loss", "cost"], "pruner": "hyperband"},
            "tune.pruner must be none with two objectives (a rung compares one score), got",
        ),
        (
            {"objective": ["val_loss", "cost"], "sampler": "cmaes"},
            "tune.sampler must be tpe, gp or random with two objectives, got 'cmaes'",
        ),
        ({"pruner": {"eta": 1}}, "tune.pruner.eta must be a whole number of at least 2, got 1"),
        ({"pruner": {"min_steps": 0}}, "tune.pruner.min_steps must be a whole number"),
        ({"pruner": {"eat": 3}}, "tune.pruner: unknown key 'eat'; did you mean 'eta'?"),
        ({"storage": "autolr.db"}, "tune.storage must be a URL such as sqlite:///autolr.db"),
        *(
            ({"study": got}, "tune.study must be a name that matches")
            for got in ("", "-x", "a/b", "../x", "a b", "x" * 129, 5, "x\n", "é")
        ),
        ({"out": 3}, "tune.out must be a folder, or null, got 3"),
        ({"space": 3}, "tune.space must be a name of the catalogue, a path or a mapping, got 3"),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_named_in_one_line(section: object, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse_tune(section)
    assert one_line(error).startswith(message)


def test_every_setting_that_can_be_given_is_listed_when_one_is_unknown() -> None:
    with pytest.raises(ConfigError) as error:
        parse_tune({"zzz": 1})
    assert all(field.name in str(error.value) for field in dataclasses.fields(TuneConfig))


def test_flags_override_and_absent_flags_keep() -> None:
    config = TuneConfig(trials=5)
    assert config.override(trials=None, study="b") == TuneConfig(trials=5, study="b")
    assert config.override(study="b").folder == Path("autolr_runs/b")
    assert config.override(study="b", out="c").folder == Path("c")
    assert config.override(pruner="none").pruner == Pruner("none")
    assert config.trials == 5


@pytest.mark.parametrize("flags", [{"trials": 0}, {"trails": 3}, {"study": "a/b"}, {"workers": -8}])
def test_flags_are_checked_as_the_section_is(flags: dict[str, object]) -> None:
    with pytest.raises(ConfigError) as error:
        TuneConfig().override(**flags)
    assert "tune" in one_line(error)


def test_a_file_becomes_a_config(file: Path) -> None:
    config = read_config(file)
    assert config.fit == {
        "seed_everything": 7,
        "trainer": {"max_epochs": 3, "gradient_clip_val": float("inf")},
        "model": {"class_path": "my.Model", "init_args": {"hidden": 8, "rate": 1e-3}},
    }
    assert config.tune.trials == 5
    assert config.seed == 7
    assert config.folder == file.parent
    assert config.space.domains["lr"] == Range(1e-4, 1e-1, log=True)
    assert pickle.loads(pickle.dumps(config)) == config


def test_a_relative_path_to_a_space_starts_at_the_config(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder := tmp_path / "project").mkdir()
    (folder / "my.yml").write_text("lr: 1e-3\n")
    (folder / "config.yaml").write_text("tune: {space: my.yml}\n")
    monkeypatch.chdir(tmp_path)
    config = read_config("project/config.yaml")
    assert config.space == parse_space({"lr": 1e-3})
    assert config.folder == folder
    with pytest.raises(ConfigError, match=r"my\.yml: No such file"):
        read_config({"tune": {"space": "my.yml"}})


def test_a_malformed_space_is_named_with_its_file(tmp_path: Path) -> None:
    (tmp_path / "my.yaml").write_text("lr: {low: 1, high: 0}\n")
    with pytest.raises(SpaceError) as error:
        load_space("my.yaml", tmp_path)
    assert (
        one_line(error) == f"{tmp_path / 'my.yaml'}: lr: low must be less than high, 0.0, got 1.0"
    )


def test_an_unknown_space_lists_the_catalogue_nearest_first() -> None:
    with pytest.raises(SpaceError) as error:
        read_config({"tune": {"space": "adam"}})
    assert "unknown search space 'adam'; did you mean 'adamw'?" in one_line(error)
    assert "default, profiles, quick, rules, sgd" in str(error.value)


@pytest.mark.parametrize(
    ("given", "seed"),
    [
        ({}, 0),
        ({"seed_everything": False}, 0),
        ({"seed_everything": True}, 0),  # as Lightning
        ({"seed_everything": None}, 0),
        ({"seed_everything": 0}, 0),
        ({"seed_everything": 3}, 3),
    ],
)
def test_the_seed_is_a_number_or_zero(given: dict[str, object], seed: int) -> None:
    assert read_config(given).seed == seed


@pytest.mark.parametrize("got", [-1, "7", 1.5, 2**32])
def test_a_seed_that_could_not_be_resumed_is_refused(got: object) -> None:
    with pytest.raises(ConfigError) as error:
        read_config({"seed_everything": got})
    assert one_line(error).startswith("seed_everything must be a whole number up to 4294967295")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mdel.x", "mdel.x: unknown section 'mdel'; did you mean 'model'?"),
        ("model.width.x", "model.width, for model.width.x, must be a mapping, got 8"),
        ("trainer.x", None),
        ("optimizer.init_args.momentum", None),
        ("mine.x", None),
    ],
)  # fmt: skip
def test_a_dotted_name_must_point_into_the_config(name: str, message: str | None) -> None:
    config = {"model": {"width": 8}, "mine": None, "tune": {"space": {name: [1, 2]}}}
    if message is None:
        assert read_config(config).space.names == (name,)
        return
    with pytest.raises(ConfigError) as error:
        read_config(config)
    assert one_line(error).startswith(message)


def test_two_dotted_names_may_not_contain_each_other() -> None:
    with pytest.raises(ConfigError, match=r"model\.a, for model\.a\.b, must be a mapping"):
        read_config({"tune": {"space": {"model.a.b": 1, "model.a": 2}}})


CHANGES: list[tuple[Mapping[str, Any], Mapping[str, Any], bool]] = [
    ({}, {"trials": 9}, True),
    ({}, {"timeout": 9}, True),
    ({}, {"storage": "sqlite:///b.db"}, True),
    ({}, {"study": "b"}, True),
    ({}, {"out": "b"}, True),
    ({"seed_everything": False}, {}, True),
    ({}, {"space": {"lr": [0.1, 0.2]}}, True),
    ({}, {"pruner": {"name": "hyperband", "eta": 3}}, True),
    ({}, {"space": {"lr": [0.1, 0.3]}}, False),
    ({}, {"monitor": "acc"}, False),
    ({}, {"mode": "max"}, False),
    ({}, {"pruner": "none"}, False),
    ({}, {"objective": ["val_loss", "cost"]}, False),
    ({}, {"sampler": "random"}, False),
    ({"seed_everything": 1}, {}, False),
    ({"model": {"a": 2}}, {}, False),
]


@pytest.mark.parametrize(("fit", "tune", "same"), CHANGES)
def test_the_fingerprint_changes_with_what_a_resume_must_share(
    fit: Mapping[str, Any], tune: Mapping[str, Any], same: bool
) -> None:
    base: dict[str, Any] = {
        "model": {"a": 1, "b": float("nan"), "c": {0: 4}},
        "tune": {"space": {"lr": {"choices": [0.1, 0.2]}}},
    }
    changed = {**base, **fit, "tune": {**base["tune"], **tune}}
    before, after = fingerprint(read_config(base)), fingerprint(read_config(changed))
    assert (before == after) is same
    assert json.loads(json.dumps(before, allow_nan=False)) == before


def test_setting_a_dotted_name_leaves_the_source_alone() -> None:
    source: dict[str, Any] = {"model": {"init_args": {"a": 1}}, "data": None}
    result = set_dotted(source, "model.init_args.hidden", 8)
    assert result == {"model": {"init_args": {"a": 1, "hidden": 8}}, "data": None}
    result["model"]["init_args"]["a"] = 2
    assert source == {"model": {"init_args": {"a": 1}}, "data": None}
    assert set_dotted(source, "data.x.y", 1)["data"] == {"x": {"y": 1}}
    assert set_dotted({}, "x", 1) == {"x": 1}


def test_setting_a_dotted_name_does_not_go_through_a_value() -> None:
    with pytest.raises(ConfigError) as error:
        set_dotted({"model": "my.Model"}, "model.x", 1)
    assert one_line(error) == "model, for model.x, must be a mapping, got 'my.Model'"


def test_a_class_path_alone_is_short_for_a_mapping() -> None:
    config = set_dotted({"model": "my.Model"}, "model.init_args.x", 1)
    assert config == {"model": {"class_path": "my.Model", "init_args": {"x": 1}}}

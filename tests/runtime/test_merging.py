"""Merges of stored checkpoints."""
# mypy: allow-untyped-calls, no-check-untyped-defs

from pathlib import Path

import numpy as np
import pytest
import torch

import autolr
from autolr import schedules
from autolr.errors import ConfigError

TOO_FAR = 4  # weights for 3 checkpoints


def state(value, **more):
    return {"w": torch.full((2,), value), "count": torch.tensor(int(value)), **more}


STATES = {100: state(1.0), 200: state(2.0), 300: state(6.0)}


def saved(folder, states):
    """Return the files of Lightning's checkpoints with these weights."""
    paths = []
    for step, each in states.items():
        paths.append(folder / f"{step}.ckpt")
        torch.save({"global_step": step, "state_dict": each, "loops": {}}, paths[-1])
    return paths


def test_the_merge_is_the_weighted_sum_and_counts_are_the_last() -> None:
    merged = autolr.merge_checkpoints(STATES, [0.5, 0.25, 0.25])
    assert merged["w"].tolist() == [2.5, 2.5]
    assert merged["count"] == 6


def test_the_mean_of_the_latest_is_lawa() -> None:
    merged = autolr.merge_checkpoints(STATES, schedules.lawa_weights(2, 2))
    assert merged["w"].tolist() == [4.0, 4.0]


def test_files_give_what_states_give(tmp_path) -> None:
    paths = saved(tmp_path, STATES)
    for given in (paths, dict(zip(STATES, map(str, paths), strict=True))):
        assert autolr.merge_checkpoints(given, [0.5, 0.25, 0.25])["w"].tolist() == [2.5, 2.5]


def test_of_a_run_with_averaged_weights_those_in_training_are_merged(tmp_path) -> None:
    for step, each in STATES.items():
        both = {"state_dict": state(99.0), "current_model_state": each, "global_step": step}
        torch.save(both, tmp_path / f"{step}")
    paths = [tmp_path / f"{step}" for step in STATES]
    assert autolr.merge_checkpoints(paths, [0.0, 0.5, 0.5])["w"].tolist() == [4.0, 4.0]


def test_sums_of_half_precision_are_taken_in_single() -> None:
    states = {i: {"w": torch.tensor([1.0 + i / 128]).bfloat16()} for i in range(64)}
    merged = autolr.merge_checkpoints(states, [1 / 64] * 64)["w"]
    exact = torch.stack([each["w"].double() for each in states.values()]).mean(0)
    assert merged.dtype == torch.bfloat16
    assert merged == exact.bfloat16()


ERRORS = {
    "one": ({100: STATES[100]}, [1.0], "checkpoints must be at least two, got 1"),
    "order": (
        {200: STATES[200], 100: STATES[100]},
        [1.0],
        "checkpoints must have rising steps, got 100 after 200",
    ),
    "keys": (
        {1: state(1.0, head=torch.ones(1)), 2: STATES[200]},
        [0.5, 0.5],
        "checkpoints: there is 'head' at step 1, and none at step 2",
    ),
    "missing": (
        {1: STATES[100], 2: state(1.0, head=torch.ones(1))},
        [0.5, 0.5],
        "checkpoints: there is 'head' at step 2, and none at step 1",
    ),
    "shapes": (
        {1: {"w": torch.ones(3)}, 2: {"w": torch.ones(2)}},
        [0.5, 0.5],
        r"checkpoints: 'w' has the shape \(3,\) at step 1, \(2,\) at step 2",
    ),
    "weights": (STATES, [0.25] * TOO_FAR, "got 4 weights for 3 checkpoints"),
    "sum": (STATES, [0.5, 0.4], "weights must sum to 1, got a sum of 0.9"),
    "negative": (STATES, [-1.0, 2.0], "weights must be at least 1 numbers, each a number of at"),
    "text": (STATES, "11", "weights must be at least 1 numbers"),
    "no weights": (STATES, [], "weights must be at least 1 numbers"),
    "no file": (["none.ckpt", "neither.ckpt"], [1.0], "'none.ckpt' cannot be read: .*No such file"),
    "states": (list(STATES.values()), [1.0], "got a dict in it"),
    "folder": ("checkpoints", [1.0], "got a str"),
    "step": ({-1: STATES[100], 2: STATES[200]}, [1.0], "whole number of at least 0, got -1"),
}


@pytest.mark.parametrize(("checkpoints", "weights", "message"), ERRORS.values(), ids=ERRORS)
def test_wrong_checkpoints_are_refused_in_one_line(checkpoints, weights, message) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        autolr.merge_checkpoints(checkpoints, weights)
    assert "\n" not in str(caught.value)


def test_a_state_dict_in_a_file_does_not_tell_its_step(tmp_path) -> None:
    torch.save(STATES[100], tmp_path / "a")
    with pytest.raises(ConfigError, match="does not tell its step, as Lightning's do"):
        autolr.merge_checkpoints([tmp_path / "a", tmp_path / "a"], [1.0])
    by_step = {1: tmp_path / "a", 2: tmp_path / "a"}
    assert autolr.merge_checkpoints(by_step, [1.0])["w"].tolist() == [1.0, 1.0]


@pytest.mark.parametrize("weights", [np.array([0.5, 0.5]), torch.tensor([0.5, 0.5]), (0.5, 0.5)])
def test_weights_may_be_an_array_or_a_tensor_and_steps_numpys(weights) -> None:
    by_step = dict(zip(np.array([1, 2]), [STATES[100], STATES[200]], strict=True))
    merged = autolr.merge_checkpoints(by_step, weights)
    assert merged["w"].tolist() == autolr.merge_checkpoints(STATES, [0.5, 0.5, 0])["w"].tolist()


def test_a_file_that_cannot_be_read_says_why(tmp_path) -> None:
    good, bad = tmp_path / "good", tmp_path / "bad"
    torch.save(STATES[100], good)
    whole = good.read_bytes()
    for content in (b"", b"hello", whole[: len(whole) // 2]):
        bad.write_bytes(content)
        with pytest.raises(ConfigError, match=r"cannot be read: it is no checkpoint of torch, or"):
            autolr.merge_checkpoints({1: good, 2: bad}, [0.5, 0.5])
    torch.save({"state_dict": STATES[200], "hyper_parameters": {"data": Path("x")}}, bad)
    with pytest.raises(ConfigError, match=r"an object of pathlib.*weights_only=False\)") as caught:
        autolr.merge_checkpoints({1: good, 2: bad}, [0.5, 0.5])
    assert "\n" not in str(caught.value)
    torch.save(STATES[200], bad, _use_new_zipfile_serialization=False)  # as of torch before 1.6
    assert autolr.merge_checkpoints({1: good, 2: bad}, [0, 1])["w"].equal(STATES[200]["w"])

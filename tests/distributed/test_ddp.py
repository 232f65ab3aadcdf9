"""Two processes train one run under DDP, as one process would."""
# mypy: allow-untyped-calls, allow-untyped-defs

import itertools

import numpy as np
import pandas as pd
import pytest
import torch

import autolr
from autolr.callbacks import AutoLR
from autolr.online import AutoLRS
from autolr.result import Result
from tests.callbacks.runs import differences
from tests.distributed.modules import Smooth
from tests.distributed.processes import outcomes_of
from tests.distributed.ranks import ACCUMULATED, MANY, PRECISE, fit, ruled

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """Return a function from the name of a case to what its ranks returned."""
    return outcomes_of("tests.distributed.ranks", tmp_path_factory.mktemp("ranks"))


@pytest.mark.parametrize(
    "case",
    [
        "",
        " accumulating",
        " local buffers",
        " views",
        " static",
        " unused",
        " scheduler",
        " compiled",
    ],
)
def test_a_search_that_may_only_pick_what_the_user_set_leaves_no_trace(both, case):
    for rank in both(f"neutral{case}"):
        assert rank.value["differences"] == []


@pytest.mark.parametrize(
    "case",
    ["", " accumulating", " buffers", " views", " unused", " compiled", " in turns", " rule"],
)
def test_a_rival_that_wins_is_bit_for_bit_the_run_that_has_its_rate_from_the_start(both, case):
    for rank in both(f"replayed{case}"):
        assert rank.value["result"]["peak"] != 0.001, "the run itself has won"
        assert rank.value["differences"] == []


def test_a_run_that_ends_with_an_average_is_replayed_bit_for_bit(both):
    for rank in both("replayed averaged"):
        assert rank.value["result"]["averaged"] is not None
        assert Result.from_dict(rank.value["result"]).rollbacks == ()
        assert rank.value["differences"] == []


def test_steps_made_by_hand_on_two_ranks_are_searched_as_those_of_the_trainer(both):
    for rank, expected in zip(both("searched by hand"), both("searched"), strict=True):
        assert rank.value["result"] == expected.value["result"]
        assert differences(rank.value["left"], expected.value["left"]) == []


def test_rivals_do_not_overwrite_gradients_of_the_run_that_lie_in_buckets(both):
    for rank in both("untouched"):
        assert rank.value["compared"] > 0
        assert rank.value["differences"] == []


@pytest.mark.parametrize(
    "case",
    [
        *("searched", "searched accumulating", "searched by losses", "searched compiled"),
        *("local nan", "fragile"),
    ],
)
def test_both_ranks_end_with_the_same_weights_and_the_same_result(both, case):
    left, right = both(case)
    assert left.value["result"] == right.value["result"]
    names = ("weights and buffers", "optimizer", "global_step")
    assert not differences(*({n: rank.value["left"][n] for n in names} for rank in (left, right)))
    assert not torch.equal(left.value["left"]["data"][0], right.value["left"]["data"][0])


@pytest.mark.parametrize(("case", "settings"), [("", {}), (" accumulating", ACCUMULATED)])
def test_two_processes_find_what_one_process_finds_on_the_joint_batches(both, case, settings):
    callback = AutoLR()
    alone = fit(
        Smooth,
        [callback],
        **{"devices": 1, "strategy": "auto", "precision": "64-true"},
        **{"data": MANY, "batch_size": 16, "max_epochs": 4, **settings},
    )
    together = both(f"searched{case}")[0].value
    result = Result.from_dict(together["result"])
    assert result.peak == callback.result.peak
    assert result.schedule == callback.result.schedule
    pd.testing.assert_frame_equal(result.probes, callback.result.probes, rtol=1e-5)
    for name, weight in alone["weights and buffers"].items():
        np.testing.assert_allclose(together["left"]["weights and buffers"][name], weight, 1e-7)


def test_a_compiled_module_is_searched_by_two_processes_as_the_plain_one(both):
    compiled, plain = (both(f"searched{case}")[0].value for case in (" compiled", ""))
    assert compiled["result"] == plain["result"]


def test_losses_of_probes_are_means_over_the_ranks(both):
    callback = AutoLR(AutoLRS(probes=5))
    settings = {**PRECISE, **ACCUMULATED, "devices": 1, "strategy": "auto", "batch_size": 16}
    fit(Smooth, [callback], **settings)
    result = Result.from_dict(both("searched by losses")[0].value["result"])
    assert len(result.scores) > 8
    pd.testing.assert_frame_equal(result.probes, callback.result.probes, rtol=1e-5)


def test_each_rank_makes_every_step_of_every_rival(both):
    for rank in both("counted"):
        result = Result.from_dict(rank.value["result"])
        race = result.scores[0].horizon
        assert len([score for score in result.scores if score.horizon == race]) == 5
        assert rank.value["made"] - rank.value["left"]["global_step"] == 4 * race
        assert result.probe_steps == 4 * race


def test_a_live_run_that_diverges_on_one_rank_is_replaced_by_a_rival_on_both(both):
    for rank in both("fragile"):
        peaks = set(Result.from_dict(rank.value["result"]).probes.peak)
        assert 0.1 not in peaks  # with which the run has begun
        assert min(peaks) < 0.1


@pytest.mark.parametrize(("case", "settings"), [("", {}), (" accumulating", ACCUMULATED)])
def test_two_processes_with_a_rule_make_the_steps_of_one_on_the_joint_batches(both, case, settings):
    alone = ruled(**{**PRECISE, "devices": 1, "strategy": "auto", "batch_size": 16, **settings})
    for rank in both(f"ruled{case}"):
        for name, left in alone.items():
            weights = rank.value[name]["weights and buffers"]
            for key, weight in left["weights and buffers"].items():
                np.testing.assert_allclose(weights[key], weight, rtol=1e-9, atol=1e-12)


def test_a_loss_that_is_not_finite_on_one_rank_takes_its_rival_out_on_both(both):
    for rank in both("local nan"):
        probes = Result.from_dict(rank.value["result"]).probes
        race = sorted(probes[probes.horizon == probes.horizon.min()].peak)
        assert race == pytest.approx([0.1 * 4.0**n for n in (-2, -1, 0, 1)])  # and not 1.6


def test_a_rival_whose_step_raises_on_one_rank_ends_on_both(both):
    finite = Result.from_dict(both("local nan")[0].value["result"])
    for rank in both("refusing"):
        result = Result.from_dict(rank.value["result"])
        assert (result.scores, result.peak) == (finite.scores, finite.peak)
        (record,) = result.copies
        assert record.reason == "a copy raised ValueError: the loss is NaN (on rank 1 of 2)"
        assert len(record.ended) == 1


def test_states_are_scored_with_the_buffers_of_rank_0_as_the_trainer_validates(both):
    for rank in both("offset"):
        assert set(Result.from_dict(rank.value["result"]).probes.score) == {1.0}


def test_only_rank_0_writes_files(both):
    folder = both("searched")[0].folder
    result = autolr.load_result(folder / "saved-0")
    assert result.to_dict() == both("searched")[1].value["result"]
    assert not (folder / "saved-1").exists()


def test_only_rank_0_prints_the_result(both):
    folder = both("searched")[0].folder
    logs = [(folder / f"log{rank}").read_text() for rank in range(2)]
    assert ["AutoLR: peak" in log for log in logs] == [True, False]


@pytest.mark.parametrize(
    ("case", "kind", "line"),
    [
        ("raising", "UserCodeError", "ValueError: a broken image (on rank 1 of 2)"),
        (
            "silent",
            "MonitorError",
            "monitor must be a metric that validation logs on every rank: (it logs nothing), got "
            "'val_loss'",
        ),
    ],
)
def test_a_failure_on_one_rank_soon_ends_both_with_the_same_line(both, case, kind, line):
    for rank in both(case):
        assert rank.error == (kind, line)
        assert rank.seconds < 10


def test_after_a_failure_the_same_processes_can_search_again(both):
    first, *again = (
        both(f"searched{case}")[0].value["result"] for case in ("", " again", " at last")
    )
    assert again == [first, first]


def test_ranks_draw_from_generators_of_their_own(both):
    generators = [rank.value["left"]["generator"] for rank in both("searched")]
    assert not any(torch.equal(a, b) for a, b in itertools.combinations(generators, 2))

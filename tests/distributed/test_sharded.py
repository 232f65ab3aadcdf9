"""Two processes train one run of which each holds a part, as one process would."""
# mypy: allow-untyped-calls, allow-untyped-defs

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
import torch

from autolr.callbacks import AutoLR
from autolr.errors import ConfigError
from autolr.result import Result
from tests.callbacks.runs import LR, RACE, Net
from tests.distributed import sharded_ranks as cases
from tests.distributed.modules import Smooth
from tests.distributed.processes import outcomes_of
from tests.distributed.ranks import MANY
from tests.distributed.sharded_modules import Body

pytestmark = pytest.mark.slow
MODULE = "tests.distributed.sharded_ranks"


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """Return a function from the name of a case to what its ranks returned."""
    return outcomes_of(MODULE, tmp_path_factory.mktemp("sharded"))


@pytest.mark.parametrize("case", cases.NEUTRAL)
def test_a_search_that_may_only_pick_what_the_user_set_leaves_no_trace(both, case):
    for rank in both(f"neutral {case}"):
        assert rank.value["differences"] == []


@pytest.mark.parametrize("case", [*cases.REPLAYED, "accumulating"])
def test_a_rival_that_wins_is_bit_for_bit_the_run_that_has_its_rate_from_the_start(both, case):
    for rank in both(f"replayed {case}"):
        assert rank.value["result"]["peak"] == LR != cases.LOW
        assert rank.value["differences"] == []


@pytest.mark.parametrize("case", cases.ROLLED_BACK)
def test_a_run_that_is_rolled_back_has_the_weights_and_momenta_of_then(both, case):
    for rank in both(f"rolled back {case}"):
        assert rank.value["result"]["peak"] == cases.LOW
        (made,) = Result.from_dict(rank.value["result"]).rollbacks
        assert (made.step, made.to) == (12, 6)
        assert rank.value["differences"] == []


@pytest.mark.parametrize("case", cases.RESUMED)
def test_a_search_that_is_resumed_ends_bit_for_bit_as_the_uninterrupted_one(both, case):
    for rank in both(f"resumed {case}"):
        assert rank.value["rivals"] > 0, "the race was over"
        assert rank.value["result"] == rank.value["whole"]
        assert rank.value["differences"] == []


def test_of_a_second_process_a_checkpoint_has_under_ddp_only_what_is_its_own(both):
    first, second = both("resumed ddp")[0].value["changes"]
    assert first is None
    assert second < both("resumed ddp")[0].value["bytes"] / 2


def test_a_search_of_two_processes_is_not_resumed_in_one(both):
    callback = AutoLR(RACE, schedule=cases.CONSTANT)
    path = both("resumed ddp")[0].folder / "ddp.ckpt"
    settings = {"devices": 1, "max_epochs": 4, "ckpt_path": path}
    with pytest.raises(ConfigError, match="world_size 2, and this fit has world_size 1: resume"):
        cases.fit(Net, lambda: "auto", [callback], **settings)


def test_both_ranks_end_with_the_same_result(both):
    for case in ("replayed fsdp2 net", "replayed fsdp1 net", "resumed fsdp2 net", "refusing"):
        left, right = both(case)
        assert left.value["result"] == right.value["result"]


@pytest.mark.parametrize("case", cases.ONE)
def test_two_processes_find_what_one_process_finds_on_the_joint_batches(both, case):
    callback = AutoLR()
    make = Body if case == "fsdp2" else Smooth
    joint = {"batch_size": 16 if case == "fsdp2" else 8, "devices": 1}
    alone = cases.fit(make, lambda: "auto", [callback], data=MANY, **joint)
    together = [rank.value for rank in both(f"searched {case}")]
    result = Result.from_dict(together[0]["result"])
    assert result.peak == callback.result.peak
    pd.testing.assert_frame_equal(result.probes, callback.result.probes, rtol=1e-3)
    for name, weight in alone["weights"].items():
        parts = [rank["left"]["weights"][name] for rank in together]
        axis = next((i for i, n in enumerate(weight.shape) if parts[0].shape[i] != n), None)
        whole = parts[0] if axis is None else torch.cat(parts, axis)
        np.testing.assert_allclose(whole, weight, rtol=1e-3, atol=1e-3)


def test_the_result_has_the_bytes_of_the_rank_that_holds_most(both):
    held = 3 * 36 + 3 + 4 // 2 * 5 + 4 // 2  # three of five units, and half of the outputs
    tensors = 4 * 4 + 1  # weights, gradients, momenta and averages of rivals; the run's average
    for rank in both("searched fsdp2"):
        assert rank.value["result"]["copy_bytes"] == tensors * held * 4


def test_a_part_that_is_not_finite_on_one_rank_ends_both_with_the_same_line(both):
    left, right = both("nan on one")
    assert left.error == right.error
    assert left.error[0] == "DivergedError"


def test_losses_that_are_nan_on_one_rank_end_the_search_on_both_and_not_the_run(both):
    for rank in both("nan loss"):
        (record,) = Result.from_dict(rank.value["result"]).copies
        assert record.ends_search
        assert rank.value["left"]["global_step"] == 80


def test_a_rival_whose_step_raises_on_one_rank_ends_on_both(both):
    for rank in both("refusing"):
        (record,) = Result.from_dict(rank.value["result"]).copies
        assert record.reason == "a copy raised ValueError: the rate is high (on rank 1 of 2)"
        assert rank.value["left"]["global_step"] == 80


def test_accumulated_gradients_under_fsdp1_are_refused_in_one_line(both):
    for rank in both("accumulating fsdp1"):
        kind, line = rank.error
        assert kind == "UnsupportedError"
        assert "set accumulate_grad_batches=1, or use FSDP2" in line
        assert "\n" not in line


def test_a_failure_on_one_rank_ends_the_other_one_that_waits_for_it_with_the_same_line(
    tmp_path_factory,
):
    def run(case):
        return outcomes_of(MODULE, tmp_path_factory.mktemp("broken"), case)(case)

    with ThreadPoolExecutor(2) as threads:
        made = [*threads.map(run, cases.BREAKING)]
    for failing, ranks in enumerate(made):
        line = f"ValueError: a broken image (on rank {failing} of 2)"
        assert [rank.error for rank in ranks] == [("PartedError", line)] * 2

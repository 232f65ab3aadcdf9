"""Strategies under which copies of a run can be trained beside it, and others."""

from typing import Any

import pytest
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import GradientAccumulationScheduler
from lightning.pytorch.strategies import (
    DDPStrategy,
    DeepSpeedStrategy,
    FSDPStrategy,
    ModelParallelStrategy,
    SingleDeviceStrategy,
    Strategy,
)

import autolr
from autolr.callbacks import AutoLR
from autolr.callbacks.requirements import check_replaceable, check_strategy
from autolr.callbacks.sharded import check_sharded
from autolr.errors import UnsupportedError


def deepspeed() -> DeepSpeedStrategy:
    """Return one as it is where its package is installed, as far as it can be made without."""
    return DeepSpeedStrategy.__new__(DeepSpeedStrategy)


@pytest.mark.parametrize(
    "strategy",
    [
        SingleDeviceStrategy(),
        DDPStrategy(),
        DDPStrategy(start_method="spawn", find_unused_parameters=True),
    ],
    ids=["one device", "ddp", "ddp_spawn"],
)
def test_a_strategy_that_keeps_the_whole_state_in_each_process_is_supported(
    strategy: Strategy,
) -> None:
    check_strategy(strategy, "AutoLR")


SHARDED = [FSDPStrategy(), ModelParallelStrategy()]


@pytest.mark.parametrize("strategy", SHARDED, ids=lambda s: type(s).__name__)
def test_a_strategy_that_shards_the_state_is_for_those_that_exchange_shards(
    strategy: Strategy,
) -> None:
    check_strategy(strategy, "AutoLR", sharded=True)
    name = type(strategy).__name__
    with pytest.raises(UnsupportedError, match=f"strategy='ddp'; {name} keeps weights"):
        check_strategy(strategy, "PruneTrial")


def test_deepspeed_is_refused_with_the_reason_and_what_to_use() -> None:
    with pytest.raises(UnsupportedError, match=r"engine keeps .*; use ModelParallelStrategy, with"):
        check_strategy(deepspeed(), "AutoLR", sharded=True)
    with pytest.raises(UnsupportedError, match=r"engine keeps .*; use strategy='ddp'"):
        check_strategy(deepspeed(), "PruneTrial")


@pytest.mark.parametrize(
    ("trainer", "strategy", "line"),
    [
        ({"accumulate_grad_batches": 2}, {}, "set accumulate_grad_batches=1, or use FSDP2"),
        ({"callbacks": [GradientAccumulationScheduler({4: 2})]}, {}, "accumulate_grad_batches=1"),
        ({}, {"use_orig_params": False}, r"FSDPStrategy\(use_orig_params=False\)"),
        ({}, {"cpu_offload": True}, r"FSDPStrategy\(cpu_offload=True\)"),
    ],
    ids=["accumulated", "accumulated later", "flat", "offloaded"],
)
def test_what_fsdp1_cannot_exchange_is_refused_with_what_to_set(
    trainer: dict[str, Any], strategy: dict[str, Any], line: str
) -> None:
    class Fsdp(FSDPStrategy):
        """Lightning refuses its own class on a CPU."""

    made = Trainer(
        accelerator="cpu",
        strategy=Fsdp(**strategy),
        **{"logger": False, "enable_checkpointing": False, **trainer},
    )
    with pytest.raises(UnsupportedError, match=line) as caught:
        check_sharded(made, "AutoLR")
    assert "\n" not in str(caught.value)


def test_a_rule_is_refused_where_each_process_has_a_part_of_the_weights() -> None:
    made = Trainer(accelerator="cpu", strategy=ModelParallelStrategy(), logger=False)
    with pytest.raises(UnsupportedError, match="computes with whole weights"):
        check_replaceable(made, LightningModule(), "ApplyRule('ldog')")


def test_a_communication_hook_with_a_state_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="rivals would change that state"):
        check_strategy(DDPStrategy(ddp_comm_state=object()), "AutoLR")


@pytest.mark.parametrize("gone", [{"stack": True}, {"ranks": "apart"}], ids=["stack", "ranks"])
def test_a_setting_that_is_gone_is_an_unknown_argument(gone: dict[str, Any]) -> None:
    (name,) = gone
    learner: Any = None  # the setting is refused before it is looked at
    message = f"unexpected keyword argument '{name}'"
    with pytest.raises(TypeError, match=message):
        AutoLR(**gone)
    with pytest.raises(TypeError, match=message):
        autolr.search(learner, 100, **gone)

"""Strategies under which copies of a run can be trained beside it, and others."""

from typing import Any

import pytest
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
from autolr.callbacks.requirements import check_strategy
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


@pytest.mark.parametrize(
    "strategy",
    [FSDPStrategy(), ModelParallelStrategy(), deepspeed()],
    ids=lambda s: type(s).__name__,
)
def test_a_strategy_that_shards_the_state_is_refused_by_name(strategy: Strategy) -> None:
    name = type(strategy).__name__
    with pytest.raises(UnsupportedError, match=f"strategy='ddp'; {name} keeps weights"):
        check_strategy(strategy, "AutoLR")


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

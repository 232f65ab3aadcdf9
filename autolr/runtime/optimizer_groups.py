"""The parameters of an optimizer, and the entries of its groups."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor
from torch.optim import Optimizer

from autolr.rules.switching import STEPPED_BY
from autolr.runtime.applied_rate import own_rate

# Group entries that schedulers or the search itself write; they stay with the run.
OF_THE_RUN = frozenset(
    {
        *("params", "lr", "initial_lr", "max_lr", "min_lr", "weight_decay"),
        *("momentum", "betas", "base_momentum", "max_momentum"),
    }
)


def parameters_of(optimizer: Optimizer) -> list[Tensor]:
    """Return the parameters of all groups in their order."""
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def own_entries(group: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries of a group that belong to a state, not to the run.

    In a `Switching` all do: each rule has settings and an own rate.
    """
    if STEPPED_BY in group:
        own = {name: value for name, value in group.items() if name != "params"}
        return own | {"lr": own_rate(group)}
    return {name: value for name, value in group.items() if name not in OF_THE_RUN}

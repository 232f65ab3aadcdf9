"""The entries of an optimizer's groups."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from torch.optim import Optimizer

from autolr.rules.group_keys import STEPPED_BY
from autolr.runtime.applied_rate import own_rate

if TYPE_CHECKING:
    from autolr.rules.switching import Switching

# Group entries that schedulers or the search itself write; they stay with the run.
OF_THE_RUN = frozenset(
    {
        *("params", "lr", "initial_lr", "max_lr", "min_lr", "weight_decay"),
        *("momentum", "betas", "base_momentum", "max_momentum"),
    }
)


def own_entries(group: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries of a group that belong to a state, not to the run.

    In a `Switching` all do: each rule has settings and an own rate.
    """
    if STEPPED_BY in group:
        own = {name: value for name, value in group.items() if name != "params"}
        return own | {"lr": own_rate(group)}
    return {name: value for name, value in group.items() if name not in OF_THE_RUN}


def joined_entries(optimizer: Optimizer, index: int, first: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries of a group that has joined, for a state that is not in place.

    Args:
        optimizer: The optimizer.
        index: The number of the group.
        first: The entries of the first group in that state: they may name another rule.
    """
    if STEPPED_BY in first:
        return cast("Switching", optimizer).fresh(first[STEPPED_BY], index)
    return own_entries(optimizer.param_groups[index])

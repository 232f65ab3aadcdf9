"""The entries of an optimizer's groups."""

from collections.abc import Mapping
from typing import Any

from autolr.rules.switching import STEPPED_BY

# Group entries that schedulers or the search itself write; they stay with the run.
OF_THE_RUN = frozenset(
    {
        *("params", "lr", "initial_lr", "max_lr", "min_lr", "weight_decay"),
        *("momentum", "betas", "base_momentum", "max_momentum"),
    }
)


def own_entries(group: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries of a group that belong to a state, not to the run.

    In a `Switching` all do: each rule has rates and settings of its own.
    """
    of_the_run = {"params"} if STEPPED_BY in group else OF_THE_RUN
    return {name: value for name, value in group.items() if name not in of_the_run}

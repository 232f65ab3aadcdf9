"""How many trials share a GPU: the driver says it to the processes that train them."""

import os
from collections.abc import Mapping

_VARIABLE = "AUTOLR_TRIALS_ON_THIS_GPU"


def announced(trials: int) -> dict[str, str]:
    """Return what the environment of a worker says about the trials on its GPU, its own counted."""
    return {_VARIABLE: str(trials)}


def sharers(environment: Mapping[str, str] = os.environ) -> int:
    """Return how many trials share the GPU of this process, itself counted; 1 unless it is said."""
    said = environment.get(_VARIABLE, "")
    return max(1, int(said)) if said.isdecimal() else 1

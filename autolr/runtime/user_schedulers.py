"""Learning-rate schedulers that the loop of a user steps."""

from torch.optim import Optimizer

from autolr.errors import ConfigError, UnsupportedError
from autolr.online.settings import SearchSettings

_TOP = 0.95  # share of its peak at which a scheduler is no longer warming up


def own_peak_of(optimizer: Optimizer, settings: SearchSettings) -> float | None:
    """Return the highest rate of an optimizer's scheduler, whose shape is kept; None without one.

    Args:
        optimizer: The optimizer before its first step.
        settings: Of the search.

    Raises:
        ConfigError: If the search has a schedule too.
        UnsupportedError: If the scheduler begins below its peak: how long it warms up is not known
            here, and peaks that are compared at tiny rates say nothing.
    """
    groups = [group for group in optimizer.param_groups if "initial_lr" in group]
    if not groups:
        return None
    for name in ("schedule", "candidates"):
        if (given := getattr(settings, name)) is not None:
            raise ConfigError.of(name, given, "left out: the optimizer has a scheduler of its own")
    peak = max(float(group.get("max_lr", group["initial_lr"])) for group in groups)
    if (present := max(float(group["lr"]) for group in groups)) < _TOP * peak:
        raise UnsupportedError(
            f"the optimizer's scheduler begins at {present:.3g} and warms up to {peak:.3g}: leave "
            "the scheduler out, and give the Tuner its shape as schedule=, of autolr.schedules"
        )
    return peak

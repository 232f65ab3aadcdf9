"""The momentum in an optimizer's groups."""

from torch.optim import Optimizer

from autolr.errors import UnsupportedError


def set_momentum(optimizer: Optimizer, momentum: float) -> None:
    """Set ``momentum``, or the first of the ``betas``, of all groups.

    Args:
        optimizer: The optimizer.
        momentum: Its momentum from the next step on.

    Raises:
        UnsupportedError: If a group has neither.
    """
    check_momentum(optimizer)
    for group in optimizer.param_groups:
        if "betas" in group:
            group["betas"] = (momentum, *group["betas"][1:])
        else:
            group["momentum"] = momentum


def check_momentum(optimizer: Optimizer) -> None:
    """Refuse an optimizer without a momentum.

    Raises:
        UnsupportedError: If a group has none.
    """
    if not all("betas" in group or "momentum" in group for group in optimizer.param_groups):
        raise UnsupportedError(
            f"{type(optimizer).__name__} has neither momentum nor betas that could be cycled"
        )

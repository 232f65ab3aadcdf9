"""The peak that the user has set in an optimizer, and the one that is customary for it."""

import inspect

from torch.optim import Optimizer

from autolr.rules import catalogue
from autolr.rules.fixed import OWN
from autolr.rules.optimizer import RuleOptimizer
from autolr.rules.switching import Switching
from autolr.runtime.applied_rate import own_rate
from autolr.runtime.joint_optimizer import JointOptimizer
from autolr.runtime.rates import Rates

# Peaks from which people start, by optimizer.
_CUSTOMARY_PEAKS = {
    "SGD": 0.1,
    "Adagrad": 1e-2,
    "RMSprop": 1e-3,
    "Adam": 1e-3,
    "AdamW": 1e-3,
    "Adamax": 1e-3,
    "NAdam": 1e-3,
    "RAdam": 1e-3,
    "Lion": 1e-4,
}


def users_rate(optimizer: Optimizer, rates: Rates) -> float | None:
    """Return the peak that the user has set; None where it is torch's default.

    Of several optimizers it is always the user's: he has set how their rates relate.

    Args:
        optimizer: The optimizer of the run.
        rates: Its rates.
    """
    own, base = optimizer, rates.base
    if isinstance(optimizer, JointOptimizer):
        return base
    if isinstance(optimizer, Switching):
        own, base = optimizer.own, optimizer.bases[OWN]
    lr = inspect.signature(type(own)).parameters.get("lr")
    return None if lr is not None and base == lr.default else base


def name_of(optimizer: Optimizer) -> str:
    """Return the class name of the run's own optimizer, of several joined by " + "."""
    if isinstance(optimizer, Switching):
        return name_of(optimizer.own)
    if isinstance(optimizer, JointOptimizer):
        return " + ".join(map(name_of, optimizer.parts))
    return type(optimizer.rule if isinstance(optimizer, RuleOptimizer) else optimizer).__name__


def prior_of(rates: Rates) -> float | None:
    """Return the peak around which to search, None where only a scan can say.

    Of several optimizers it is the user's own: what is customary for one of them says nothing of
    how their rates relate.

    Args:
        rates: The rates of the run's optimizer.
    """
    if isinstance(rates.optimizer, JointOptimizer):
        return rates.base
    return customary_peak_of(rates.optimizer)


def rates_by_name(optimizer: Optimizer) -> tuple[tuple[str, float], ...]:
    """Return the name and the highest own rate of each of several optimizers; nothing for one."""
    if not isinstance(optimizer, JointOptimizer):
        return ()
    return tuple(
        (type(part).__name__, max(float(own_rate(group)) for group in part.param_groups))
        for part in optimizer.parts
    )


def customary_peak_of(optimizer: Optimizer) -> float | None:
    """Return the peak from which people start with this optimizer, None if there is none.

    It is the rate of the group with the highest rate.
    """
    if isinstance(optimizer, Switching):
        return customary_peak_of(optimizer.own)
    if isinstance(optimizer, RuleOptimizer):
        return catalogue.customary_peak(optimizer.rule)
    name = type(optimizer).__name__
    return _CUSTOMARY_PEAKS.get(name) or catalogue.customary_peak(name)

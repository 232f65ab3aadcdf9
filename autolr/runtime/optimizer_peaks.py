"""The peak that the user has set in an optimizer, and the one that is customary for it."""

import inspect

from torch.optim import Optimizer

from autolr.rules import catalogue
from autolr.rules.fixed import OWN
from autolr.rules.optimizer import RuleOptimizer
from autolr.rules.switching import Switching
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

    Args:
        optimizer: The optimizer of the run.
        rates: Its rates.
    """
    own, base = optimizer, rates.base
    if isinstance(optimizer, Switching):
        own, base = optimizer.own, optimizer.bases[OWN]
    lr = inspect.signature(type(own)).parameters.get("lr")
    return None if lr is not None and base == lr.default else base


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

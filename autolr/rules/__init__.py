"""Rules: how the size of a step is set. ``rate = peak x schedule x rule``.

A rule is a value with a few settings. From a few inner products of each step it computes the size
of that step. `build` returns the torch optimizer that makes such steps:

>>> import torch
>>> weight = torch.nn.Parameter(torch.tensor([3.0]))
>>> optimizer = build("sps_max", [weight], peak=1.0)
>>> def closure():
...     optimizer.zero_grad()
...     loss = (weight**2).sum() / 2
...     loss.backward()
...     return loss
>>> for _ in range(3):
...     _ = optimizer.step(closure)
>>> weight.item()
0.0
"""

from typing import TYPE_CHECKING, Any

# The order of these imports is the order of the rules in a family, which stored studies have.
# isort: off
from autolr.rules import adagrad as adagrad
from autolr.rules import model_building as model_building
from autolr.rules import curvature as curvature
from autolr.rules import distance as distance
from autolr.rules import energy as energy
from autolr.rules import fixed as fixed
from autolr.rules import hypergradient as hypergradient
from autolr.rules import line_search as line_search
from autolr.rules import momo as momo
from autolr.rules import native as native
from autolr.rules import polyak as polyak
from autolr.rules import polyak_momentum as polyak_momentum
from autolr.rules import preconditioned as preconditioned
from autolr.rules import sgd_variants as sgd_variants
from autolr.rules import subset_norm as subset_norm
# isort: on

from autolr.rules.base import Answer as Answer
from autolr.rules.base import Inertia as Inertia
from autolr.rules.base import LineSearch as LineSearch
from autolr.rules.base import Memory as Memory
from autolr.rules.base import Number as Number
from autolr.rules.base import Rule as Rule
from autolr.rules.base import Statistics as Statistics
from autolr.rules.base import Trials as Trials
from autolr.rules.catalogue import Peak as Peak
from autolr.rules.catalogue import Record as Record
from autolr.rules.catalogue import check_settings as check_settings
from autolr.rules.catalogue import names as names
from autolr.rules.catalogue import record as record
from autolr.rules.catalogue import rule as rule
from autolr.rules.mup import mup_groups as mup_groups
from autolr.rules.mup_init import mup_initialize as mup_initialize

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch.optim import Optimizer
    from torch.optim.optimizer import ParamsT


def build(
    name: str,
    params: "ParamsT",
    peak: float | None = None,
    *,
    base: "Callable[[ParamsT], Optimizer] | None" = None,
    **settings: Any,
) -> "Optimizer":
    """Return the optimizer that makes the steps of a rule.

    Args:
        name: One of `names`.
        params: Parameters, or groups of them; a group's own ``lr`` relates it to the others.
        peak: The rate at which a schedule's multiplier is 1; None for the rule's default.
        base: Makes the optimizer whose steps the rule sizes, for rules without a direction of
            their own; None for plain gradient steps.
        settings: Of the rule; rules of this package also take a decoupled ``weight_decay``. A
            setting in a group overrides these.

    Raises:
        ConfigError: If there is no such rule, or a setting cannot work.
    """
    from autolr.rules.construct import build_optimizer  # here: torch takes seconds to import

    return build_optimizer(name, params, peak, base, settings)


def in_place_of(optimizer: "Optimizer", name: str, **settings: Any) -> "Optimizer":
    """Return the optimizer of a rule, for the groups of another optimizer.

    The highest rate of the groups becomes the rule's default peak; the ratios between their rates
    are kept. So are the weight decay of each group and every other setting that the user gave to
    the optimizer or a group (betas, eps, momentum, ``use_muon``) and that the rule's optimizer
    has too; 0 and false are values like others. Defaults of the old optimizer are not kept, except
    its weight decay. The rule "fixed" returns the optimizer itself.

    Args:
        optimizer: Over the parameters; its state is dropped.
        name: One of `names`.
        settings: Of the rule, for all groups; they override what would be kept.

    Raises:
        ConfigError: If there is no such rule, a setting cannot work, or the optimizer maximizes
            and the rule cannot.
    """
    from autolr.rules.construct import replacement  # here: torch takes seconds to import

    return replacement(optimizer, name, settings)

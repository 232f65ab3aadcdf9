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

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn
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


def mup_initialize(model: "nn.Module", base: "nn.Module") -> tuple[str, ...]:
    """Change a model to what muP wants beside the rates of `mup_groups`; return what was changed.

    With m of a dimension as in `mup_groups`, in place:

    | | standard deviation | forward pass |
    |---|---|---|
    | hidden matrices | that of the base / sqrt(m of the fan-in) | |
    | biases, norms, embeddings, first layers | that of the base | |
    | readouts (finite outputs of inputs with a width) | that of the base | inputs / m |

    Call it once, before the first step and before a checkpoint is loaded: the division is no part
    of a ``state_dict``. It does not know of attention: where heads get wider, divide the scores by
    their width, not by its root, as Yang et al. do. What is constant in the base, as weights of
    norms and biases that begin at 0, stays as it is.

    Args:
        model: The wide model.
        base: The narrow model that the rate was tuned for, initialized as it was.

    Returns:
        A line for each parameter that was scaled by more than 1 %, and for each readout.

    Raises:
        ConfigError: If the models do not have the same parameters, the base has no values (it is on
            the device "meta"), or ``model`` has been changed before.
        UnsupportedError: If a parameter has more than two widths.

    Source: Yang et al. 2022, arXiv:2203.03466, table 8, as in their package mup 1.0.0.

    >>> import torch
    >>> def net(width):
    ...     return torch.nn.Sequential(torch.nn.Linear(3, width), torch.nn.Linear(width, 2))
    >>> mup_initialize(net(32), net(8))[-1]
    '1: its inputs are divided by 4'
    """
    from autolr.rules.mup_init import initialize  # here: torch takes seconds to import

    return initialize(model, base)

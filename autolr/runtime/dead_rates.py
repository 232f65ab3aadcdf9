"""Optimizers for which the rate in their groups is not the rate of their steps."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.optim import Optimizer

from autolr.rules.fixed import OWN
from autolr.runtime.candidate_run import CandidateRun
from autolr.runtime.exchange import local
from autolr.runtime.joint_optimizer import name_of

if TYPE_CHECKING:
    from autolr.runtime.collectives import Ranks


def sets_its_rate(optimizer: Optimizer, rate: float) -> str:
    """Return in words that an optimizer has set its own rate within its first step.

    Args:
        optimizer: The optimizer.
        rate: What it has set.
    """
    return (
        f"{name_of(optimizer)} sets its own rate within its step (to {rate:.3g}), so the rate of "
        "its steps cannot be set"
    )


def ignores_its_rate(
    optimizer: Optimizer, runs: Sequence[CandidateRun], ranks: "Ranks"
) -> str | None:
    """Return in words that an optimizer has made the same steps at several rates; None if not.

    Args:
        optimizer: The optimizer, of the user's.
        runs: The live run and its rivals, after some steps on the same batches.
        ranks: The processes that train the run together; each may hold a part of the weights.
    """
    rates = sorted({run.highest_rate for run in runs})
    rivals = [run.state.tensors for run in runs if run.snapshot is not None]
    if len(rates) < 2 or not rivals or any(run.candidate.rule != OWN for run in runs):
        return None
    moves = any(_moves(parameter) for parameter in rivals[0])
    pairs = ((local(p), local(other[p])) for other in rivals for p in rivals[0])
    differ = not all(torch.equal(present, other) for present, other in pairs)
    if ranks.any([moves, differ]) != [True, False]:
        return None
    return (
        f"{name_of(optimizer)} has made the same steps at rates of up to {rates[0]:.3g} and "
        f"{rates[-1]:.3g}: they do not depend on the rate in its groups"
    )


def _moves(parameter: Tensor) -> bool:
    """Return whether the last step had a gradient for a parameter."""
    return parameter.grad is not None and bool(local(parameter.grad).any())

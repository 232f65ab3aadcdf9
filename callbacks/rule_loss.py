"""The loss of a step, for the optimizer of a rule."""

from torch import Tensor
from torch.optim import Optimizer

from autolr.rules.switching import rule_optimizer_of


def add_loss(optimizer: Optimizer, loss: Tensor, *, begins: bool) -> None:
    """Pass the loss of a batch to the optimizer of a rule; it sums accumulated batches.

    Args:
        optimizer: Any; nothing happens for one that does not step by a rule.
        loss: Scalar, as its gradient is taken: with accumulated gradients this batch's share.
        begins: Whether the batch is the first of those that are accumulated.
    """
    if (stepping := rule_optimizer_of(optimizer)) is not None:
        before = None if begins else stepping.loss
        stepping.loss = loss.detach() if before is None else before + loss.detach()

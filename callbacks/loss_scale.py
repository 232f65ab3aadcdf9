"""What a gradient scaler has left in gradients."""

from torch.optim import Optimizer

from autolr.callbacks.namespaces import Trainer


def scale_left(trainer: Trainer, optimizer: Optimizer) -> float:
    """Return by what gradients are multiplied still when an optimizer is about to step.

    In half precision a scaler multiplies the loss. Lightning divides the gradients by it before the
    step; a fused optimizer does that itself, within its step.

    Args:
        trainer: The trainer.
        optimizer: The optimizer that is about to step.
    """
    scaler = getattr(trainer.precision_plugin, "scaler", None)
    if scaler is None or not getattr(optimizer, "_step_supports_amp_scaling", False):
        return 1.0
    return float(scaler.get_scale())

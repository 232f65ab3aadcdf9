"""What a script returns of a run."""

import hashlib
from dataclasses import dataclass
from typing import Any

import torch

TRAINER: dict[
    str, Any
] = {  # of every script; loggers, checkpoints and all else are the project's own
    "accelerator": "cpu",
    "devices": 1,
    "enable_progress_bar": False,
    "enable_model_summary": False,
}


@dataclass(frozen=True)
class Fitted:
    """The end of a run.

    Attributes:
        score: The last value of the project's metric.
        digest: A hash of all weights and buffers.
    """

    score: float
    digest: str


def fitted(module: torch.nn.Module, score: Any) -> Fitted:
    """Return the end of a run.

    Args:
        module: What was trained.
        score: The last value of the project's metric.
    """
    return Fitted(float(score), digest(module))


def digest(module: torch.nn.Module) -> str:
    """Return a hash of the bits of a module's weights and buffers, with their names."""
    made = hashlib.sha256()
    for name, value in module.state_dict().items():
        made.update(name.encode())
        if isinstance(value, torch.Tensor):
            made.update(value.detach().cpu().reshape(-1).view(torch.uint8).numpy().tobytes())
    return made.hexdigest()

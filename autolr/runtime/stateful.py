"""What has a state of its own in training, beside the model and the optimizer."""

from typing import Any, Protocol


class Stateful(Protocol):
    """What has a state of its own in training, such as a `torch.amp.GradScaler`."""

    def state_dict(self) -> dict[str, Any]:
        """Return the state."""

    def load_state_dict(self, state_dict: dict[str, Any], /) -> None:
        """Take on a state."""

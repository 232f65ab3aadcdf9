"""Which parameters and modules are in training, in a checkpoint: Lightning leaves that out."""

from collections.abc import Mapping
from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from typing_extensions import override

from autolr.callbacks.namespaces import Callback, LightningModule, Trainer

_MODES = "modes"


def modes_of(module: nn.Module) -> dict[str, dict[str, bool]]:
    """Return by name which parameters require a gradient, and which modules are in training mode.

    Of batch norms moreover whether they track statistics: freezing by `BaseFinetuning` ends that.
    """
    norms = ((name, part) for name, part in module.named_modules() if isinstance(part, _NormBase))
    return {
        "requires_grad": {name: p.requires_grad for name, p in module.named_parameters()},
        "training": {name: part.training for name, part in module.named_modules()},
        "track_running_stats": {name: part.track_running_stats for name, part in norms},
    }


def set_modes(module: nn.Module, modes: Mapping[str, Mapping[str, bool]]) -> list[str]:
    """Set what `modes_of` returned; return the parameters that are frozen or trained otherwise now.

    Args:
        module: A module like that one; what it has beside is left as it is.
        modes: What `modes_of` returned.
    """
    other = []
    for name, parameter in module.named_parameters():
        if modes["requires_grad"].get(name, parameter.requires_grad) != parameter.requires_grad:
            parameter.requires_grad_(not parameter.requires_grad)
            other.append(name)
    for name, part in module.named_modules():
        part.training = modes["training"].get(name, part.training)
        if name in modes["track_running_stats"] and isinstance(part, _NormBase):
            part.track_running_stats = modes["track_running_stats"][name]
    return other


class KeepsModes(Callback):
    """Keeps in its state which parameters and modules are in training.

    What a fine-tuning callback has unfrozen is frozen again as a fit is set up, also one that is
    resumed behind the unfreezing.
    """

    _modes: Mapping[str, Mapping[str, bool]] | None = None

    @override
    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        super().on_save_checkpoint(trainer, pl_module, checkpoint)
        modes = modes_of(pl_module)
        if trainer.validating:  # the Trainer has put everything into evaluation mode, for now
            modes["training"] = dict(trainer.fit_loop.epoch_loop.val_loop._module_mode.mode)
        checkpoint["callbacks"][self.state_key][_MODES] = modes

    @override
    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        super().on_load_checkpoint(trainer, pl_module, checkpoint)
        self._modes = checkpoint["callbacks"].get(self.state_key, {}).get(_MODES)

    def restore_modes(self, module: LightningModule) -> list[str]:
        """Set the modes of the checkpoint that the fit is resumed from, once.

        Args:
            module: The module.

        Returns:
            The parameters that were frozen and train now, or the other way round.
        """
        modes, self._modes = self._modes, None
        return [] if modes is None else set_modes(module, modes)

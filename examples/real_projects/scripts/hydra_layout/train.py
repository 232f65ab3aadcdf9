"""A run of configs that Hydra composes, as a template's ``train.py`` has it."""

from pathlib import Path
from typing import Any

import hydra
from lightning.pytorch import seed_everything

from examples.real_projects.fitted import TRAINER, Fitted, fitted

METRIC, SEARCH, SCHEDULED = "val/loss", {"monitor": "val/loss"}, True
RATE = 1e-3  # of the configs
STEPS = 600


def fit(callbacks: list[Any], max_steps: int, seed: int, rate: float = RATE) -> Fitted:
    """Compose the configs with overrides, make the objects, and train."""
    configs = str(Path(__file__).parent / "configs")
    with hydra.initialize_config_dir(configs, version_base=None):
        config = hydra.compose(
            "train",
            [f"seed={seed}", f"model.optimizer.lr={rate}", f"trainer.max_steps={max_steps}"],
        )
    seed_everything(config.seed, workers=True)
    data = hydra.utils.instantiate(config.data)
    module = hydra.utils.instantiate(config.model)
    trainer = hydra.utils.instantiate(config.trainer, **TRAINER)
    trainer.callbacks.extend(callbacks)
    trainer.fit(module, datamodule=data)
    return fitted(module, trainer.callback_metrics[METRIC])

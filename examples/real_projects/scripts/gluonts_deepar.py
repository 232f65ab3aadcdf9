"""DeepAR of GluonTS, which makes its own module, loader and Trainer, on made series."""

from typing import Any

import numpy as np
import pandas as pd
from gluonts.dataset.common import ListDataset
from gluonts.torch.model.deepar import DeepAREstimator
from lightning.pytorch import seed_everything

from examples.real_projects.fitted import TRAINER, Fitted, fitted

METRIC, SEARCH, SCHEDULED = "val_loss", {"monitor": "val_loss"}, True
RATE = 1e-3  # of GluonTS, with its ReduceLROnPlateau
STEPS = 300
_EPOCH = 50  # batches, of GluonTS


def fit(callbacks: list[Any], max_steps: int, seed: int, rate: float = RATE) -> Fitted:
    """Train on noisy waves; the callbacks go to ``trainer_kwargs``."""
    seed_everything(seed)
    draws, time = np.random.default_rng(seed), np.arange(240)
    start = pd.Period("2024-01-01", freq="D")
    waves = [
        5 + level + np.sin(time * 2 * np.pi / 24 + phase) + draws.normal(0, 0.2, len(time))
        for level, phase in draws.uniform(0, 5, (20, 2))
    ]
    training = ListDataset([{"start": start, "target": w[:200]} for w in waves], freq="D")
    validation = ListDataset([{"start": start, "target": w} for w in waves], freq="D")
    estimator = DeepAREstimator(
        freq="D", prediction_length=12, context_length=24, hidden_size=20, lr=rate,
        batch_size=16, num_batches_per_epoch=_EPOCH, lags_seq=[1, 2, 3, 12, 24], time_features=[],
        trainer_kwargs={
            "max_epochs": -(-max_steps // _EPOCH), "max_steps": max_steps,
            "callbacks": callbacks, **TRAINER,
        },
    )  # fmt: skip
    output = estimator.train_model(training, validation)
    return fitted(output.trained_net, output.trainer.callback_metrics[METRIC])

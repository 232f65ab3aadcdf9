"""PyTorch Tabular, which makes module, loaders and Trainer of configs, on a made table."""

from typing import Any

import numpy as np
import pandas as pd
from pytorch_lightning import seed_everything
from pytorch_tabular import TabularModel
from pytorch_tabular.config import DataConfig, OptimizerConfig, TrainerConfig
from pytorch_tabular.models import CategoryEmbeddingModelConfig

from examples.real_projects.fitted import TRAINER, Fitted, fitted

METRIC, SEARCH, SCHEDULED = "valid_loss", {"monitor": "valid_loss"}, False
RATE = 1e-3  # of PyTorch Tabular
STEPS = 500
_ROWS, _BATCH = 3000, 64


def fit(callbacks: list[Any], max_steps: int, seed: int, rate: float = RATE) -> Fitted:
    """Train its embedding of categories; the callbacks are arguments of ``fit``."""
    table = made_table(np.random.default_rng(seed))
    training, validation = table[: 4 * _ROWS // 5], table[4 * _ROWS // 5 :]
    model = TabularModel(
        data_config=DataConfig(
            target=["price"], continuous_cols=["size", "age", "noise"],
            categorical_cols=["place", "kind"],
        ),
        model_config=CategoryEmbeddingModelConfig(
            task="regression", layers="64-32", dropout=0.1, learning_rate=rate, seed=seed
        ),
        optimizer_config=OptimizerConfig(),
        trainer_config=TrainerConfig(
            batch_size=_BATCH, max_epochs=-(-max_steps * _BATCH // len(training)),
            early_stopping=None, checkpoints=None, load_best=False, progress_bar="none", seed=seed,
            trainer_kwargs={"max_steps": max_steps, "enable_model_summary": False},
            accelerator=TRAINER["accelerator"],
        ),
        verbose=False,
    )  # fmt: skip
    seed_everything(seed)
    model.fit(train=training, validation=validation, callbacks=callbacks, seed=seed)
    return fitted(model.model, model.trainer.callback_metrics[METRIC])


def made_table(draws: np.random.Generator) -> pd.DataFrame:
    """Return rows of two categories and three numbers, and a price that depends on most.

    Args:
        draws: What the rows are drawn from.
    """
    place, kind = draws.integers(0, 12, _ROWS), draws.integers(0, 4, _ROWS)
    size, age, noise = draws.normal(size=(3, _ROWS))
    worth = np.sin(np.arange(12))[place] + 0.5 * kind * np.tanh(size)
    price = worth - 0.5 * np.abs(age) + draws.normal(0, 0.2, _ROWS)
    return pd.DataFrame(
        {
            "place": [f"p{p}" for p in place],
            "kind": [f"k{k}" for k in kind],
            "size": size,
            "age": age,
            "noise": noise,
            "price": price,
        }
    )

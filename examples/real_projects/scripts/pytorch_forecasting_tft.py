"""The temporal fusion transformer of pytorch-forecasting, with its Ranger, on series it makes."""

from typing import Any

from lightning.pytorch import Trainer, seed_everything
from pytorch_forecasting import GroupNormalizer, TemporalFusionTransformer, TimeSeriesDataSet
from pytorch_forecasting.data.examples import generate_ar_data

from examples.real_projects.fitted import TRAINER, Fitted, fitted

METRIC, SEARCH, SCHEDULED = "val_loss", {"monitor": "val_loss"}, True
RATE = 1e-3  # of pytorch-forecasting
STEPS = 200


def fit(callbacks: list[Any], max_steps: int, seed: int, rate: float = RATE) -> Fitted:
    """Train as its tutorial does, at the size of a test."""
    seed_everything(seed)
    data = generate_ar_data(n_series=20, timesteps=120, seed=seed).astype({"series": str})
    training = TimeSeriesDataSet(
        data[data.time_idx < 100],
        time_idx="time_idx", target="value", group_ids=["series"], static_categoricals=["series"],
        max_encoder_length=20, max_prediction_length=8, time_varying_unknown_reals=["value"],
        time_varying_known_reals=["time_idx"], target_normalizer=GroupNormalizer(groups=["series"]),
    )  # fmt: skip
    validation = TimeSeriesDataSet.from_dataset(training, data, min_prediction_idx=100)
    model = TemporalFusionTransformer.from_dataset(
        training, learning_rate=rate, hidden_size=8, hidden_continuous_size=8, dropout=0.1,
        attention_head_size=2, optimizer="ranger", log_interval=-1,
    )  # fmt: skip
    trainer = Trainer(
        max_steps=max_steps, val_check_interval=50, check_val_every_n_epoch=None,
        gradient_clip_val=0.1, callbacks=callbacks, **TRAINER,
    )  # fmt: skip
    trainer.fit(
        model,
        training.to_dataloader(train=True, batch_size=32),
        validation.to_dataloader(train=False, batch_size=128),
    )
    return fitted(model, trainer.callback_metrics[METRIC])

"""N-BEATS of darts, which makes its own Trainer, on a made series."""

from typing import Any

from darts.models import NBEATSModel
from darts.utils import timeseries_generation as made
from pytorch_lightning import seed_everything

from examples.real_projects.fitted import TRAINER, Fitted, fitted

METRIC, SEARCH, SCHEDULED = "val_loss", {"monitor": "val_loss"}, False
RATE = 1e-3  # of darts
STEPS = 600


def fit(callbacks: list[Any], max_steps: int, seed: int, rate: float = RATE) -> Fitted:
    """Train on two waves with a trend and noise; the callbacks go to ``pl_trainer_kwargs``."""
    seed_everything(seed)
    series = (
        made.sine_timeseries(length=1000, value_frequency=0.05)
        + made.sine_timeseries(length=1000, value_frequency=0.013, value_amplitude=0.5)
        + made.linear_timeseries(length=1000, end_value=1.0)
        + made.gaussian_timeseries(length=1000, std=0.1)
    )
    model = NBEATSModel(
        input_chunk_length=24, output_chunk_length=12, num_stacks=4, num_layers=2,
        layer_widths=32, dropout=0.1, batch_size=32, n_epochs=max_steps, random_state=seed,
        optimizer_kwargs={"lr": rate},
        pl_trainer_kwargs={
            "max_steps": max_steps, "val_check_interval": 50, "check_val_every_n_epoch": None,
            "callbacks": callbacks, **TRAINER,
        },
    )  # fmt: skip
    training, validation = series.split_after(0.8)
    model.fit(training.astype("float32"), val_series=validation.astype("float32"))
    return fitted(model.model, model.trainer.callback_metrics[METRIC])

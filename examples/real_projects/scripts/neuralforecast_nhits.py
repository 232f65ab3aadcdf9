"""NHITS of neuralforecast, which trains a copy of the model, on the passengers that it ships."""

from typing import Any

from neuralforecast import NeuralForecast
from neuralforecast.models import NHITS
from neuralforecast.utils import AirPassengersPanel

from examples.real_projects.fitted import TRAINER, Fitted, fitted

METRIC, SEARCH, SCHEDULED = "ptl/val_loss", {"monitor": "ptl/val_loss"}, True
RATE = 1e-3  # of neuralforecast, which halves it three times where it is not told otherwise
STEPS = 600


def fit(callbacks: list[Any], max_steps: int, seed: int, rate: float = RATE) -> Fitted:
    """Train on two series of 144 months; the callbacks are arguments of the model."""
    model = NHITS(
        h=12, input_size=24, max_steps=max_steps, learning_rate=rate, val_check_steps=50,
        scaler_type="robust", mlp_units=3 * [[64, 64]], random_seed=seed, num_lr_decays=3,
        windows_batch_size=64, callbacks=callbacks, **TRAINER,
    )  # fmt: skip
    forecaster = NeuralForecast(models=[model], freq="ME")
    forecaster.fit(AirPassengersPanel, val_size=24)
    (trained,) = forecaster.models
    return fitted(trained, trained.metrics[METRIC])

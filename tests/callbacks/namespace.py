"""The namespace that tests of callbacks run under: `lightning.pytorch`, or the one in NAMESPACE."""

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING or os.environ.get("NAMESPACE", "lightning.pytorch") == "lightning.pytorch":
    import lightning.pytorch as pl
    from lightning.pytorch.callbacks import (
        BackboneFinetuning,
        BaseFinetuning,
        Callback,
        EMAWeightAveraging,
        LearningRateMonitor,
        ModelCheckpoint,
        ModelPruning,
        StochasticWeightAveraging,
        WeightAveraging,
    )
    from lightning.pytorch.loggers import CSVLogger
    from lightning.pytorch.plugins import MixedPrecision
else:
    import pytorch_lightning as pl
    from pytorch_lightning.callbacks import (
        BackboneFinetuning,
        BaseFinetuning,
        Callback,
        EMAWeightAveraging,
        LearningRateMonitor,
        ModelCheckpoint,
        ModelPruning,
        StochasticWeightAveraging,
        WeightAveraging,
    )
    from pytorch_lightning.loggers import CSVLogger
    from pytorch_lightning.plugins import MixedPrecision

__all__ = [
    "BackboneFinetuning",
    "BaseFinetuning",
    "CSVLogger",
    "Callback",
    "EMAWeightAveraging",
    "LearningRateMonitor",
    "MixedPrecision",
    "ModelCheckpoint",
    "ModelPruning",
    "StochasticWeightAveraging",
    "WeightAveraging",
    "pl",
]

"""The message-passing network of chemprop, with its Noam-like schedule: logP of made molecules."""

from itertools import product
from typing import Any

import numpy as np
from chemprop import data, models, nn
from lightning.pytorch import Trainer, seed_everything
from rdkit import Chem
from rdkit.Chem.Crippen import MolLogP

from examples.real_projects.fitted import TRAINER, Fitted, fitted

METRIC, SEARCH, SCHEDULED = "val_loss", {"monitor": "val_loss"}, True
RATE = 1e-3  # of chemprop: the highest of its schedule, which begins and ends at a tenth of it
STEPS = 400
_LEFT = ("C", "CC", "O", "N", "Cl", "F", "OC(=O)", "N#C", "CO", "FC(F)(F)")
_MIDDLES = (
    "{}C{}", "{}CC{}", "{}C(=O)N{}", "{}COC{}", "{}CSC{}", "{}C=C{}", "{}c1ccc({})cc1",
    "{}C1CCC({})CC1",
)  # fmt: skip
_RIGHT = ("C", "CC", "O", "N", "Cl", "F", "C(=O)O", "C#N", "OC", "C(F)(F)F")


def fit(callbacks: list[Any], max_steps: int, seed: int, rate: float = RATE) -> Fitted:
    """Train as its notebooks do."""
    seed_everything(seed)
    parts = product(_LEFT, _MIDDLES, _RIGHT)
    molecules = [middle.format(left, right) for left, middle, right in parts]
    points = [
        data.MoleculeDatapoint.from_smi(m, [MolLogP(Chem.MolFromSmiles(m))]) for m in molecules
    ]
    order = np.random.default_rng(seed).permutation(len(points))
    training = data.MoleculeDataset([points[i] for i in order[:640]])
    validation = data.MoleculeDataset([points[i] for i in order[640:]])
    scaler = training.normalize_targets()
    validation.normalize_targets(scaler)
    ffn = nn.RegressionFFN(
        input_dim=64, output_transform=nn.UnscaleTransform.from_standard_scaler(scaler)
    )
    model = models.MPNN(
        nn.BondMessagePassing(d_h=64), nn.MeanAggregation(), ffn, batch_norm=True,
        init_lr=rate / 10, max_lr=rate, final_lr=rate / 10,
    )  # fmt: skip
    trainer = Trainer(
        max_epochs=-(-max_steps // 20), max_steps=max_steps, callbacks=callbacks, **TRAINER
    )
    trainer.fit(
        model,
        data.build_dataloader(training, batch_size=32, seed=seed),
        data.build_dataloader(validation, batch_size=64, shuffle=False),
    )
    return fitted(model, trainer.callback_metrics[METRIC])

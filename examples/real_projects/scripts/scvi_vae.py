"""The variational autoencoder of scvi-tools, whose loss is annealed, on cells that it makes."""

from typing import Any

import scvi

from examples.real_projects.fitted import TRAINER, Fitted, fitted

METRIC, SEARCH, SCHEDULED = "validation_loss", {"monitor": "validation_loss"}, False
RATE = 1e-3  # of scvi-tools
STEPS = 600
_EPOCH = 15  # steps: 0.9 of 1,040 cells in batches of 64


def fit(callbacks: list[Any], max_steps: int, seed: int, rate: float = RATE) -> Fitted:
    """Train on two batches of cells; the callbacks are arguments of ``train``."""
    scvi.settings.seed = seed
    cells = scvi.data.synthetic_iid(batch_size=520, n_genes=50)
    scvi.model.SCVI.setup_anndata(cells, batch_key="batch")
    model = scvi.model.SCVI(cells, n_hidden=32, n_latent=5)
    model.train(
        max_epochs=-(-max_steps // _EPOCH), max_steps=max_steps, batch_size=64, train_size=0.9,
        check_val_every_n_epoch=1, plan_kwargs={"lr": rate, "n_epochs_kl_warmup": 20},
        callbacks=callbacks, **TRAINER,
    )  # fmt: skip
    return fitted(model.module, model.trainer.callback_metrics[METRIC])

"""GANomaly of anomalib, whose Engine makes the Trainer: two optimizers, on made surfaces."""

from pathlib import Path
from typing import Any

import numpy as np
from anomalib.data import Folder
from anomalib.engine import Engine
from anomalib.metrics import AUROC, Evaluator
from anomalib.models import Ganomaly
from lightning.pytorch import seed_everything
from PIL import Image

from examples.real_projects.fitted import TRAINER, Fitted, fitted

METRIC = "val_AUROC"
SEARCH, SCHEDULED = {"monitor": METRIC, "mode": "max"}, False
RATE = 2e-4  # of both optimizers, as anomalib has it
STEPS = 160  # batches: each is a step of either network, and Lightning counts both
_SIDE, _BATCH = 32, 16


def fit(callbacks: list[Any], max_steps: int, seed: int, rate: float = RATE) -> Fitted:
    """Train on surfaces without a spot; the callbacks are arguments of the Engine."""
    seed_everything(seed)
    folder = Path(f"surfaces_{seed}").absolute()
    draws = np.random.default_rng(seed)
    for name, count in (("normal", 160), ("normal_test", 64), ("spotted", 64)):
        write_surfaces(folder / name, count, draws, spotted=name == "spotted")
    data = Folder(
        name="surfaces", root=folder, normal_dir="normal", normal_test_dir="normal_test",
        abnormal_dir="spotted", train_batch_size=_BATCH, eval_batch_size=128, num_workers=0,
        val_split_mode="same_as_test", seed=seed,
    )  # fmt: skip
    scored = Evaluator(val_metrics=[AUROC(fields=["pred_score", "gt_label"], prefix="val_")])
    model = Ganomaly(
        batch_size=_BATCH, n_features=8, latent_vec_size=32, lr=rate, evaluator=scored,
        pre_processor=Ganomaly.configure_pre_processor((_SIDE, _SIDE)), visualizer=False,
    )  # fmt: skip
    engine = Engine(
        callbacks=callbacks, max_steps=2 * max_steps, max_epochs=-1, check_val_every_n_epoch=2,
        **TRAINER,
    )  # fmt: skip
    engine.fit(model, datamodule=data)
    return fitted(model, engine.trainer.callback_metrics[METRIC])


def write_surfaces(folder: Path, count: int, draws: np.random.Generator, *, spotted: bool) -> None:
    """Write pictures of noisy stripes.

    Args:
        folder: Where to; it is made.
        count: How many.
        draws: What they are drawn from.
        spotted: Whether each has a faint spot.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows, columns = np.mgrid[:_SIDE, :_SIDE]
    for index in range(count):
        phase, (row, column) = draws.uniform(0, 6), draws.uniform(6, _SIDE - 6, 2)
        surface = 110 + 40 * np.sin(columns / 2 + phase) + draws.normal(0, 8, rows.shape)
        if spotted:
            surface += 45 * np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / 12)
        pixels = surface.clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).convert("RGB").save(folder / f"{index}.png")

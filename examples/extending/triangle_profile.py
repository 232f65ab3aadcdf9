"""A profile of one's own: the slanted triangle of ULMFiT.

``python -m examples.extending.triangle_profile`` trains a small CNN on digits with it.
"""

from typing import Annotated

import numpy as np
from lightning.pytorch import Trainer, seed_everything

from autolr.callbacks import FollowCandidate
from autolr.schedules import profile
from autolr.settings import Array, Real, Share
from examples.digits.digits import DigitsCNN, DigitsData

Top = Annotated[float, Real(0, 1, open="both")]


@profile
def slanted_triangle(k: Array, n: float, top: Top = 0.1, final: Share = 1 / 32) -> Array:
    """Rise to the peak in the share ``top`` of the steps, then fall to ``final`` in the rest.

        m(k) = min((k + 1) / (top n), final + (1 - final) (1 - k / n) / (1 - top), 1)

    Settings:
        top: Share of the steps that rise.
        final: Multiplier at the end.

    Source: Howard & Ruder 2018, arXiv:1801.06146, eq. (3), with the rise of `warmup`.

    >>> slanted_triangle(top=0.5, final=0.0).values(8).tolist()
    [0.25, 0.5, 0.75, 1.0, 1.0, 0.75, 0.5, 0.25]
    """
    rise = (k + 1) / (top * n)
    fall = final + (1 - final) * (1 - k / n) / (1 - top)
    return np.minimum(np.minimum(rise, fall), 1.0)


def main(epochs: int = 5) -> float:
    """Train with the profile at a peak of 0.01, and return the validation accuracy."""
    seed_everything(0, verbose=False)
    trainer = Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[FollowCandidate(peak=0.01, schedule=slanted_triangle(top=0.2))],
    )
    trainer.fit(DigitsCNN(), datamodule=DigitsData())
    return float(trainer.callback_metrics["val_acc"])


if __name__ == "__main__":
    print(f"val_acc {main():.3f}")

"""The noise scale in a Trainer that accumulates gradients."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from autolr.callbacks import MeasureNoiseScale
from autolr.errors import UnsupportedError
from tests.callbacks.namespace import pl
from tests.callbacks.runs import Net, curve, differences, fit
from tests.cases import only_with_slow

DIMENSION, SPREAD = 20, 1.5


class Mean(pl.LightningModule):
    """The gradient of 1/2 |w - x|^2 is w - x: normal about w - mean, of a known covariance."""

    def __init__(self):
        super().__init__()
        self.weights = torch.nn.Parameter(torch.zeros(DIMENSION))

    def training_step(self, batch, batch_idx):
        return ((self.weights - batch[0]) ** 2).sum(1).mean() / 2

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.0)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("clip", [None, *only_with_slow(0.01)])
def test_the_estimate_is_the_known_ratio(clip, tmp_path):
    torch.manual_seed(0)
    data = 1.0 + SPREAD * torch.randn(4000, DIMENSION)
    callback = MeasureNoiseScale(decay=0.999)
    trainer = pl.Trainer(
        accelerator="cpu", max_epochs=1, accumulate_grad_batches=8, callbacks=[callback],
        logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, gradient_clip_val=clip,
    )  # fmt: skip
    trainer.fit(Mean(), DataLoader(TensorDataset(data), 4))
    assert callback.result.steps == 125
    assert callback.result.critical_batch_size == pytest.approx(SPREAD**2, rel=0.15)


@pytest.mark.filterwarnings("ignore")
def test_the_run_is_the_same_bit_for_bit(tmp_path):
    setup = {"accumulate_grad_batches": 3, "gradient_clip_val": 0.3}
    callback = MeasureNoiseScale(decay=0.9)
    run = fit(tmp_path / "measured", Net, [callback], **setup)
    assert differences(run.left, fit(tmp_path / "plain", Net, **setup).left) == []
    assert callback.result.steps == 8  # the third step of an epoch has a single, smaller batch
    logged = curve(tmp_path / "measured", "autolr/critical_batch_size")
    assert callback.result.critical_batch_size in (None, pytest.approx(list(logged.values())[-1]))


@pytest.mark.filterwarnings("ignore")
def test_without_accumulation_there_is_nothing_to_compare(tmp_path):
    with pytest.raises(UnsupportedError, match="accumulate_grad_batches to at least 2"):
        fit(tmp_path, Net, [MeasureNoiseScale()])

"""The norms of the gradients with which a run has stepped."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import math

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from autolr import AutoLR
from autolr.callbacks import RecordNorms
from autolr.online import Annealed
from autolr.result.norms import Norms, refine_run
from tests.callbacks.namespace import pl

torch.set_num_threads(1)


class Line(pl.LightningModule):
    """A line that notes the norms of its own steps."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(4, 1)
        self.seen = []

    def training_step(self, batch, _):
        return (self.layer(batch[0]).squeeze(-1) - batch[0].sum(-1)).square().mean()

    def validation_step(self, batch, _):
        self.log("val_loss", self.training_step(batch, 0))

    def on_before_optimizer_step(self, optimizer):
        self.seen.append(math.hypot(*(float(p.grad.norm()) for p in self.parameters())))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.02)


def fit(*callbacks, **settings):
    model = Line()
    data = DataLoader(TensorDataset(torch.randn(64, 4, generator=torch.manual_seed(1))), 8)
    trainer = pl.Trainer(
        max_epochs=3,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=list(callbacks),
        **settings,
    )
    trainer.fit(model, data, data)
    return model


def test_norms_are_those_before_clipping_and_the_run_is_the_same_without_them(tmp_path):
    settings = {"gradient_clip_val": 0.01, "accumulate_grad_batches": 2}
    plain, model = fit(**settings), fit(RecordNorms(tmp_path), **settings)
    norms = Norms.read(tmp_path)
    assert (norms.kind, norms.total_steps) == ("l2", 12)
    assert norms.values == pytest.approx(model.seen, rel=1e-5)
    assert min(norms.values) > 0.01
    assert all(
        torch.equal(*pair) for pair in zip(plain.parameters(), model.parameters(), strict=True)
    )


def test_beside_a_search_they_are_those_of_the_run_and_not_of_rivals(tmp_path):
    search = AutoLR(Annealed(candidates=3, checks=(), budget=3.0), save_to=tmp_path)
    fit(search, RecordNorms(tmp_path, norm="l1"))
    norms = Norms.read(tmp_path)
    assert (norms.kind, norms.total_steps) == ("l1", 24)
    assert search.result.probe_steps > 0
    refined = refine_run(tmp_path)
    assert refined.peak is not None
    assert refined.schedule.at(0, 24) > 0


def test_bad_settings_are_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=r"^norm must be one of"):
        RecordNorms(tmp_path, norm="max")
    with pytest.raises(ValueError, match=r"^save_to must be"):
        fit(RecordNorms(tmp_path / "file"))

"""The norms of the gradients with which a run has stepped."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import math

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from autolr import AutoLR
from autolr.callbacks import MeasureNoiseScale, RecordNorms
from autolr.online import Annealed
from autolr.result.norms import Norms, refine_run
from tests.callbacks.namespace import MixedPrecision, pl

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


class Tuned(torch.optim.AdamW):
    """An optimizer of a user's own."""


@pytest.mark.parametrize(
    ("made", "kind"),
    [(Tuned, "l1"), (torch.optim.Adamax, "l1"), (torch.optim.RMSprop, "l2")],
    ids=lambda x: getattr(x, "__name__", x),
)
def test_the_kind_of_norm_follows_the_optimizer(made, kind, tmp_path, monkeypatch):
    monkeypatch.setattr(Line, "configure_optimizers", lambda self: made(self.parameters()))
    fit(RecordNorms(tmp_path))
    assert Norms.read(tmp_path).kind == kind


@pytest.mark.parametrize("fused", [False, True])
def test_the_factor_of_a_scaler_is_no_part_of_a_norm(fused, tmp_path, monkeypatch):
    def scaled(factor):
        scaler = torch.amp.GradScaler("cpu", init_scale=factor)
        noise = MeasureNoiseScale()
        plugins = [MixedPrecision("16-mixed", "cpu", scaler=scaler)]
        fit(RecordNorms(tmp_path), noise, plugins=plugins, accumulate_grad_batches=2)
        return Norms.read(tmp_path).values, noise.result.squared

    monkeypatch.setattr(
        Line,
        "configure_optimizers",
        lambda self: torch.optim.SGD(self.parameters(), lr=0.02, fused=fused),
    )
    (plain, square), (far, far_square) = scaled(1.0), scaled(1024.0)
    assert far == pytest.approx(plain, rel=1e-3)
    assert far_square == pytest.approx(square, rel=0.01)


def test_bad_settings_are_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=r"^norm must be one of"):
        RecordNorms(tmp_path, norm="max")
    with pytest.raises(ValueError, match=r"^save_to must be"):
        fit(RecordNorms(tmp_path / "file"))
    for nothing in (None, "", 3):
        with pytest.raises(ValueError, match=r"^save_to must be a folder, got "):
            RecordNorms(nothing)

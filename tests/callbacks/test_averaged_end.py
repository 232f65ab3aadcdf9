"""A run that ends with an average of its last weights, in a Trainer."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from autolr.callbacks import AutoLR
from autolr.online import Annealed
from autolr.result import load_result
from tests.callbacks.namespace import Callback, ModelCheckpoint, WeightAveraging, pl

STEPS, EPOCHS, WINDOW = 120, 4, 48  # 40 % of the run


class Noisy(pl.LightningModule):
    """A linear model of targets that are mostly noise in training, and none in validation."""

    def __init__(self, lr=0.25):
        super().__init__()
        torch.manual_seed(0)
        self.net, self.lr = nn.Linear(4, 1), lr

    def training_step(self, batch, batch_idx):
        return (self.net(batch[0]) - batch[1]).pow(2).mean()

    def validation_step(self, batch, batch_idx):
        self.log("val_loss", (self.net(batch[0]) - batch[1]).pow(2).mean())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.lr)


class Weights(Callback):
    """Keeps the weights after every step, before other callbacks change them."""

    def __init__(self):
        self.kept = []

    def on_train_batch_end(self, trainer, module, *_):
        self.kept.append(module.net.weight.detach().clone())


def data(rows=4 * STEPS // EPOCHS):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(rows + 256, 4, generator=generator)
    y = x.sum(1, keepdim=True)
    noise = torch.randn(rows, 1, generator=generator)
    train = TensorDataset(x[:rows], y[:rows] + 3 * noise)
    return DataLoader(train, 4), DataLoader(TensorDataset(x[rows:], y[rows:]), 32)


def fit(folder, *callbacks, schedule="constant", ckpt_path=None, **given):
    """Fit with a rate that never falls, of which an average is better; return all that is left."""
    module = Noisy()
    strategy = Annealed(candidates=2, rollback=given.pop("rollback", "auto"))
    ours = AutoLR(strategy, schedule=schedule, rates=(0.125, 0.25), save_to=folder)
    trainer = pl.Trainer(
        max_steps=STEPS,
        accelerator="cpu",
        callbacks=[*callbacks[:1], ours, *callbacks[1:]],
        default_root_dir=folder,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=any(isinstance(one, ModelCheckpoint) for one in callbacks),
        **given,
    )
    trainer.fit(module, *data(), ckpt_path=ckpt_path)
    return module, trainer, ours.result


def test_the_last_weights_are_the_average_and_validation_and_checkpoints_have_it(tmp_path):
    weights, saves = Weights(), ModelCheckpoint(tmp_path, filename="end", every_n_train_steps=STEPS)
    module, trainer, result = fit(tmp_path, weights, saves)
    end = result.averaged
    assert end.score < 0.9 * end.last
    assert end.window == WINDOW
    expected = torch.stack(weights.kept[-WINDOW:]).mean(0)
    assert torch.allclose(module.net.weight, expected, atol=1e-6)
    assert float(trainer.callback_metrics["val_loss"]) == pytest.approx(end.score)
    stored = torch.load(tmp_path / "end.ckpt", weights_only=True)["state_dict"]
    assert torch.equal(stored["net.weight"], module.net.weight)


def test_what_is_printed_saved_and_replayed_says_so(tmp_path):
    _, _, result = fit(tmp_path)
    assert load_result(tmp_path) == result
    line = " ".join(str(result).partition("weights")[2].split())
    score, last = (f"{value:.4g}" for value in (result.averaged.score, result.averaged.last))
    assert line == f"the average of its last 48 steps: val_loss {score}, {last} without"
    page = (tmp_path / "result.html").read_text()
    assert "# at the end: the average of the weights of the last 48 steps" in page
    assert "callbacks=[autolr.AverageLastSteps(48)]" in page


def test_without_rollbacks_the_weights_are_those_of_the_last_step(tmp_path):
    weights = Weights()
    module, _, result = fit(tmp_path, weights, rollback="never")
    assert result.averaged is None
    assert torch.equal(module.net.weight, weights.kept[-1])
    assert "weights" not in str(result)


def test_a_callback_that_averages_has_the_last_word(tmp_path):
    theirs = WeightAveraging()
    module, _, result = fit(tmp_path, theirs)
    assert result.averaged is None
    assert torch.equal(module.net.weight, theirs._average_model.module.net.weight)


def test_a_fit_that_is_resumed_within_the_average_ends_as_the_whole_one(tmp_path):
    saves = ModelCheckpoint(tmp_path, filename="{epoch}", save_top_k=-1)
    whole, _, result = fit(tmp_path, saves)
    cut = tmp_path / "epoch=2.ckpt"  # at step 90, 18 steps within the window
    resumed, _, again = fit(tmp_path, ckpt_path=cut)
    assert again == result
    assert torch.equal(resumed.net.weight, whole.net.weight)

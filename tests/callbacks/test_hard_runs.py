"""Runs on which a search can do harm: they begin at chance, warm up, or have a loss that moves."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy
from torch.optim.lr_scheduler import LinearLR, OneCycleLR, ReduceLROnPlateau
from torch.utils.data import DataLoader, TensorDataset

from autolr.callbacks import AutoLR

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


class Net(LightningModule):
    """A network on pairs of inputs and targets; AdamW at a rate, perhaps with schedulers."""

    def __init__(self, net, loss, rate, schedulers=None):
        super().__init__()
        self.net, self.loss, self.rate, self.schedulers = net, loss, rate, schedulers

    def training_step(self, batch, batch_idx):
        return self.loss(self.net(batch[0]), batch[1])

    def validation_step(self, batch, batch_idx):
        self.log("val_loss", self.loss(self.net(batch[0]), batch[1]))

    def configure_optimizers(self):
        optimizer = torch.optim.AdamW(self.parameters(), self.rate)
        return optimizer if self.schedulers is None else ([optimizer], self.schedulers(optimizer))


class WarmedByHand(Net):
    """Writes its rate in ``optimizer_step``, as Lightning's documentation shows it."""

    def optimizer_step(self, epoch, batch_idx, optimizer, optimizer_closure):
        optimizer.step(closure=optimizer_closure)
        if self.trainer.global_step < 100:
            for group in optimizer.param_groups:
                group["lr"] = self.rate * (self.trainer.global_step + 1) / 100


class Annealed(LightningModule):
    """A variational autoencoder whose second term rises to its full weight by design."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 8))
        self.decoder = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 8))

    def training_step(self, batch, batch_idx):
        reconstruction, divergence = self.terms(batch[0])
        return reconstruction + self.weight() * divergence

    def validation_step(self, batch, batch_idx):
        reconstruction, divergence = self.terms(batch[0])
        self.log("val_loss", reconstruction + self.weight() * divergence)
        self.log("elbo", reconstruction + divergence)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), 1e-3)

    def weight(self):
        return min(1, self.global_step / 320)

    def terms(self, x):
        mean, logvar = self.encoder(x).chunk(2, -1)
        out = self.decoder(mean + torch.randn_like(mean) * (logvar / 2).exp())
        divergence = -0.5 * (1 + logvar - mean**2 - logvar.exp()).sum(-1).mean()
        return (out - x).square().sum(-1).mean() / 2, divergence


def parity():
    """Return loaders of a task that no single input tells anything of."""
    x = torch.randn(4000, 12, generator=torch.Generator().manual_seed(0)).sign()
    y = (x[:, :3].prod(1, keepdim=True) > 0).float()
    return loaders(TensorDataset(x, y), 3200, 32)


def digits(training=1400):
    x, y = load_digits(return_X_y=True)
    return loaders(TensorDataset(torch.tensor(x / 16).float(), torch.tensor(y)), training, 64)


def loaders(data, training, size):
    first, last = (
        torch.utils.data.Subset(data, rows)
        for rows in (range(training), range(training, len(data)))
    )
    return DataLoader(first, size, shuffle=True), DataLoader(last, 100)


def final(module, data, epochs, *callbacks, metric="val_loss"):
    trainer = Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[*callbacks],
    )
    trainer.fit(module, *data)
    return float(trainer.callback_metrics[metric])


def fitted(make, data, epochs, *callbacks, **settings):
    torch.manual_seed(0)
    return final(make(), data, epochs, *callbacks, **settings)


def small(hidden=32):
    return nn.Sequential(nn.Linear(64, hidden), nn.ReLU(), nn.Linear(hidden, 10))


def test_a_run_that_stands_at_chance_leaves_it_and_ends_where_the_best_rate_does():
    def make(rate):
        net = nn.Sequential(nn.Linear(12, 64), nn.ReLU(), nn.Linear(64, 1))
        return Net(net, binary_cross_entropy_with_logits, rate)

    data, callback = parity(), AutoLR()
    plain = fitted(lambda: make(1e-3), data, 8)
    found = fitted(lambda: make(1e-3), data, 8, callback)
    assert plain > 0.3  # 0.69 is chance
    assert found < 0.01
    assert callback.result.price <= 1.25


def test_a_loss_that_rises_by_design_is_not_rolled_back():
    x = torch.randn(640, 8, generator=torch.Generator().manual_seed(0))
    data = TensorDataset(x, x[:, :1].square() + x[:, 1:2])
    pair = DataLoader(data, 32, shuffle=True), DataLoader(data, 32)
    callback = AutoLR()
    plain = fitted(Annealed, pair, 20, metric="elbo")
    found = fitted(Annealed, pair, 20, callback, metric="elbo")
    assert callback.result.rollbacks == ()
    assert found < 1.01 * plain


@pytest.mark.parametrize("rise", [40, 150])
def test_two_schedulers_keep_their_shape_and_the_peak_is_near_the_best(rise):
    def make(rate):
        return Net(
            small(),
            cross_entropy,
            rate,
            lambda o: [
                {"scheduler": LinearLR(o, 0.01, 1.0, rise), "interval": "step"},
                {"scheduler": ReduceLROnPlateau(o, patience=1, factor=0.3), "monitor": "val_loss"},
            ],
        )

    data = digits()
    best = min(fitted(lambda rate=rate: make(rate), data, 20) for rate in (1e-2, 3e-2, 0.1))
    assert fitted(lambda: make(1e-3), data, 20, AutoLR()) < 1.12 * best


def test_a_one_cycle_of_the_users_own_is_raised_in_a_short_run():
    def make(rate):
        return Net(
            nn.Linear(64, 10),
            cross_entropy,
            rate,
            lambda o: [{"scheduler": OneCycleLR(o, rate, total_steps=96), "interval": "step"}],
        )

    data, callback = digits(1000), AutoLR()
    plain = fitted(lambda: make(1e-3), data, 6)
    found = fitted(lambda: make(1e-3), data, 6, callback)
    assert callback.result.peak >= 0.01  # whole runs are best at 0.1
    assert found < plain / 2


@pytest.mark.parametrize("rate", [1e-3, 1e-2])  # whole runs are best at 1e-2
def test_a_warm_up_by_hand_ends_no_worse_than_without_a_search(rate):
    data, callback = digits(), AutoLR()
    plain = fitted(lambda: WarmedByHand(small(), cross_entropy, rate), data, 20)
    found = fitted(lambda: WarmedByHand(small(), cross_entropy, rate), data, 20, callback)
    assert min(score.horizon for score in callback.result.scores) > 100  # behind the rise
    assert found < 1.05 * plain
    assert callback.result.highest_rate <= callback.result.peak * (1 + 1e-9)

"""Real kinds of runs with manual optimization, with rates that are too low by far or right."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import pytest
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from autolr.callbacks import AutoLR
from tests.callbacks.manual import kernel_distance
from tests.callbacks.namespace import pl
from tests.callbacks.runs import differences

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def trained(module, train, val, callbacks=(), epochs=10):
    """Train from a fixed seed; return what the last validation logged, and the trainer."""
    torch.set_num_threads(1)
    settings = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=epochs,
        enable_model_summary=False,
        callbacks=list(callbacks),
        **settings,
    )
    trainer.fit(module, train, val)
    return {name: float(value) for name, value in trainer.callback_metrics.items()}, trainer


def compared(make, data, monitor, epochs):
    """Return the metric without and with a search, the result, and the rates that were applied."""
    values = []
    callback = AutoLR(monitor=monitor, mode="min")
    for callbacks in ([], [callback]):
        pl.seed_everything(1, verbose=False)
        module = make()
        logged, trainer = trained(module, *data(), callbacks, epochs)
        values.append(logged[monitor])
    rates = [group["lr"] for optimizer in trainer.optimizers for group in optimizer.param_groups]
    return values, callback.result, rates


# --- Muon for the matrices of a transformer, AdamW for the rest


class Transformer(pl.LightningModule):
    """Says in which order a sequence is to be read: the token that follows the marked one."""

    def __init__(self, scale):
        super().__init__()
        self.automatic_optimization = False
        self.scale = scale
        self.embed = nn.Embedding(16, 16)
        self.place = nn.Parameter(0.1 * torch.randn(12, 16))
        layer = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.1, batch_first=True)
        self.body = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(16, 16)

    def loss(self, batch):
        tokens, targets = batch
        return F.cross_entropy(
            self.head(self.body(self.embed(tokens) + self.place).mean(1)), targets
        )

    def training_step(self, batch, batch_idx):
        muon, adamw = self.optimizers()
        loss = self.loss(batch)
        muon.zero_grad()
        adamw.zero_grad()
        self.manual_backward(loss)
        self.clip_gradients(muon, gradient_clip_val=1.0, gradient_clip_algorithm="norm")
        muon.step()
        adamw.step()
        return loss

    def validation_step(self, batch, batch_idx):
        self.log("val_loss", self.loss(batch))

    def configure_optimizers(self):
        matrices = [p for p in self.body.parameters() if p.ndim == 2]
        chosen = set(matrices)
        rest = [p for p in self.parameters() if p not in chosen]
        return [
            torch.optim.Muon(matrices, lr=0.02 * self.scale, weight_decay=0.0),
            torch.optim.AdamW(rest, lr=1e-3 * self.scale),
        ]


def sequences():
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(1, 16, (768, 12), generator=generator)
    at = torch.randint(0, 11, (768,), generator=generator)
    rows = torch.arange(768)
    tokens[rows, at] = 0
    data = TensorDataset(tokens, tokens[rows, at + 1])
    parts = [torch.utils.data.Subset(data, range(*part)) for part in ((0, 512), (512, 768))]
    return DataLoader(parts[0], 32, shuffle=True), DataLoader(parts[1], 256)


def test_muon_beside_adamw_gets_one_factor_and_trains_better_than_at_rates_far_too_low():
    (alone, beside), result, (muon, *_, adamw) = compared(
        lambda: Transformer(1 / 64), sequences, "val_loss", epochs=12
    )
    assert [name for name, _ in result.own_rates] == ["Muon", "AdamW"]
    assert result.factor is not None
    assert result.factor >= 4
    assert muon == pytest.approx(20 * adamw)
    assert beside < alone


# --- a GAN of digits


class DigitsGan(pl.LightningModule):
    def __init__(self, scale):
        super().__init__()
        self.automatic_optimization = False
        self.scale = scale
        self.generator = nn.Sequential(
            nn.Linear(16, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 64), nn.Sigmoid()
        )
        self.critic = nn.Sequential(nn.Linear(64, 64), nn.LeakyReLU(0.2), nn.Linear(64, 1))

    def training_step(self, batch, batch_idx):
        (real,) = batch
        first, second = self.optimizers()
        noise = torch.randn(len(real), 16)
        self.toggle_optimizer(second)
        false = self.generator(noise).detach()
        loss = F.softplus(-self.critic(real)).mean() + F.softplus(self.critic(false)).mean()
        second.zero_grad()
        self.manual_backward(loss)
        second.step()
        self.untoggle_optimizer(second)
        if batch_idx % 2 == 1:
            with first.toggle_model():
                loss = F.softplus(-self.critic(self.generator(noise))).mean()
                first.zero_grad()
                self.manual_backward(loss)
                first.step()

    def validation_step(self, batch, batch_idx):
        noise = torch.randn(len(batch[0]), 16, generator=torch.Generator().manual_seed(batch_idx))
        self.log("distance", kernel_distance(self.generator(noise) / 4, batch[0] / 4))

    def configure_optimizers(self):
        settings = {"lr": 2e-3 * self.scale, "betas": (0.5, 0.9)}
        return [
            torch.optim.Adam(self.generator.parameters(), **settings),
            torch.optim.Adam(self.critic.parameters(), **settings),
        ]


def digits():
    pixels = torch.tensor(load_digits().data / 16, dtype=torch.float32)
    train, val = TensorDataset(pixels[:1280]), TensorDataset(pixels[1280:1792])
    return DataLoader(train, 32, shuffle=True), DataLoader(val, 256)


def test_a_gan_of_digits_is_compared_by_a_distance_and_comes_nearer_than_at_low_rates():
    (alone, beside), result, rates = compared(
        lambda: DigitsGan(1 / 32), digits, "distance", epochs=12
    )
    assert result.compared
    assert result.factor is not None
    assert result.factor > 1
    assert len(set(rates)) == 1
    assert beside < alone


# --- PPO: several steps of the optimizer over one batch


class Bandit(pl.LightningModule):
    """Draws an arm for each context by its own policy, then improves that by clipped steps."""

    def __init__(self, rate):
        super().__init__()
        self.automatic_optimization = False
        self.rate = rate
        self.policy, self.value = nn.Linear(6, 5), nn.Linear(6, 1)
        self.register_buffer("best", torch.randn(6, 5, generator=torch.Generator().manual_seed(3)))

    def training_step(self, batch, batch_idx):
        (contexts,) = batch
        actor, critic = self.optimizers()
        with torch.no_grad():
            old = torch.distributions.Categorical(logits=self.policy(contexts))
            arms = old.sample()
            rewards = (contexts @ self.best).gather(1, arms[:, None])[:, 0]
            before = old.log_prob(arms)
            gain = rewards - self.value(contexts)[:, 0]
        for _ in range(4):
            new = torch.distributions.Categorical(logits=self.policy(contexts))
            ratio = (new.log_prob(arms) - before).exp()
            loss = -torch.minimum(ratio * gain, ratio.clamp(0.8, 1.2) * gain).mean()
            actor.zero_grad()
            self.manual_backward(loss - 0.01 * new.entropy().mean())
            actor.step()
            critic.zero_grad()
            self.manual_backward(F.mse_loss(self.value(contexts)[:, 0], rewards))
            critic.step()

    def validation_step(self, batch, batch_idx):
        (contexts,) = batch
        values = contexts @ self.best
        regret = values.max(1).values - (self.policy(contexts).softmax(1) * values).sum(1)
        self.log("regret", regret.mean())

    def configure_optimizers(self):
        return [
            torch.optim.Adam(self.policy.parameters(), self.rate),
            torch.optim.Adam(self.value.parameters(), 3 * self.rate),
        ]


def contexts():
    generator = torch.Generator().manual_seed(1)
    train, val = (TensorDataset(torch.randn(n, 6, generator=generator)) for n in (640, 512))
    return DataLoader(train, 32, shuffle=True), DataLoader(val, 512)


def test_ppo_makes_several_steps_a_batch_and_regrets_less_than_at_rates_too_low():
    (alone, beside), result, (actor, critic) = compared(
        lambda: Bandit(3e-4), contexts, "regret", epochs=10
    )
    assert result.total_steps == 200  # batches; Lightning counts 8 steps in each
    assert result.factor is not None
    assert result.factor > 1
    assert critic == pytest.approx(3 * actor)
    assert beside < alone


@pytest.mark.parametrize(
    ("make", "data", "monitor"),
    [
        (lambda: Transformer(1.0), sequences, "val_loss"),
        (lambda: DigitsGan(1.0), digits, "distance"),
        (lambda: Bandit(3e-3), contexts, "regret"),
    ],
    ids=["muon", "gan", "ppo"],
)
def test_one_candidate_leaves_such_a_run_bit_identical(make, data, monitor):
    left = []
    for searches in (False, True):
        pl.seed_everything(1, verbose=False)
        module = make()
        own = max(o.param_groups[0]["lr"] for o in module.configure_optimizers())
        settings = {"monitor": monitor, "mode": "min", "schedule": "constant"}
        callbacks = [AutoLR(rates=(own, own), **settings)] if searches else []
        _, trainer = trained(module, *data(), callbacks, epochs=2)
        states = [optimizer.state_dict() for optimizer in trainer.optimizers]
        left.append([module.state_dict(), states, torch.get_rng_state(), trainer.global_step])
    assert differences(*left) == []

"""Modules that keep state beside their weights, and a run of each."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import copy
import random
from collections import OrderedDict, deque

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from autolr.online import Annealed, Thresholds
from tests.callbacks.namespace import pl

LR = 2.0**-8
RACE = Annealed(candidates=3, thresholds=Thresholds(rollbacks=0), budget=3.0)


class Net(pl.LightningModule):
    """A small regression with a batch norm."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 1))

    def training_step(self, batch, batch_idx):
        return (self.net(batch[0]) - batch[1]).square().mean()

    def validation_step(self, batch, batch_idx):
        self.log("val_loss", (self.net(batch[0]) - batch[1]).square().mean())

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), LR)


class Teacher(Net):
    """Trains towards a mean of its own past weights, as BYOL, MoCo and DINO do."""

    def __init__(self):
        super().__init__()
        self.teacher = copy.deepcopy(self.net).requires_grad_(False)

    def training_step(self, batch, batch_idx):
        self.follow(zip(self.teacher.parameters(), self.net.parameters(), strict=True))
        return super().training_step(batch, batch_idx) + (
            0.3 * (self.net(batch[0]) - self.teacher(batch[0])).square().mean()
        )

    @torch.no_grad()
    def follow(self, pairs):
        for old, new in pairs:
            old.lerp_(new, 0.1)


class DataTeacher(Teacher):
    """Binds the data of its teacher anew, which no version counter of torch notices."""

    def follow(self, pairs):
        for old, new in pairs:
            old.data = old.data * 0.9 + new.data * 0.1


class HiddenTeacher(Teacher):
    """Keeps its teacher in a list, so that it is no part of the checkpoint."""

    def __init__(self):
        super().__init__()
        self.hidden = [self.teacher]
        self.teacher = None

    def training_step(self, batch, batch_idx):
        (teacher,) = self.hidden
        self.follow(zip(teacher.parameters(), self.net.parameters(), strict=True))
        return Net.training_step(self, batch, batch_idx) + (
            0.3 * (self.net(batch[0]) - teacher(batch[0])).square().mean()
        )


class Bank(Net):
    """Trains on features of past batches, kept in a buffer."""

    def __init__(self):
        super().__init__()
        self.register_buffer("bank", torch.zeros(64, 4))
        self.row = 0

    def training_step(self, batch, batch_idx):
        rows = len(batch[0])
        self.bank[self.row : self.row + rows] = batch[0].roll(self.row % 3, 1)
        self.row = (self.row + rows) % len(self.bank)
        return super().training_step(batch, batch_idx) + self.net(self.bank).square().mean()


class Queue(Net):
    """Keeps its last outputs in a deque of an object, beside a tensor that is bound anew."""

    def __init__(self):
        super().__init__()
        self.memory = type("Memory", (), {})()
        self.memory.last, self.memory.mean = deque(maxlen=3), torch.zeros(1)

    def training_step(self, batch, batch_idx):
        out = self.net(batch[0])
        past = sum(self.memory.last, self.memory.mean)
        self.memory.last.append(out.detach().mean(0))
        self.memory.mean = 0.9 * self.memory.mean + 0.1 * out.detach().mean()
        return super().training_step(batch, batch_idx) * (1 + past.tanh().square().mean())


class Momentum(Queue):
    """Has a queue of features beside a teacher, as MoCo does."""

    def __init__(self):
        super().__init__()
        self.teacher = copy.deepcopy(self.net).requires_grad_(False)

    def training_step(self, batch, batch_idx):
        loss = super().training_step(batch, batch_idx)
        with torch.no_grad():
            for old, new in zip(self.teacher.parameters(), self.net.parameters(), strict=True):
                old.lerp_(new, 0.1)
            self.memory.last.append(self.teacher(batch[0]).mean(0))
        return loss


class Stepping(Net):
    """Steps an environment with a generator of its own, and draws from two others."""

    def __init__(self):
        super().__init__()
        self.env = Environment()
        self.noise, self.coin = torch.Generator().manual_seed(1), random.Random(2)

    def training_step(self, batch, batch_idx):
        out = self.net(batch[0])
        seen = self.env.step(float(out.detach().mean()))
        weight = 1 + 0.1 * torch.rand(1, generator=self.noise).item() + 0.1 * self.coin.random()
        return (out - batch[1] - seen).square().mean() * weight


class Environment:
    """Moves by what it is given, and by noise."""

    def __init__(self):
        self.state, self.draws, self.steps = np.zeros(2), np.random.default_rng(3), 0

    def step(self, action):
        self.steps += 1
        self.state = 0.9 * self.state + 0.1 * action + 0.1 * self.draws.normal(size=2)
        return float(self.state.sum())


class Counting(Net):
    """Counts its steps, and trains by the count."""

    calls = 0

    def training_step(self, batch, batch_idx):
        self.calls += 1
        return super().training_step(batch, batch_idx) * (1 + 0.01 * self.calls)


class ValidationBank(Net):
    """Fills a buffer in validation, and trains on it."""

    def __init__(self):
        super().__init__()
        self.register_buffer("bank", torch.zeros(8, 4))

    def training_step(self, batch, batch_idx):
        return super().training_step(batch, batch_idx) + self.net(self.bank).square().mean()

    def validation_step(self, batch, batch_idx):
        self.bank.copy_(batch[0][:8])
        super().validation_step(batch, batch_idx)


class ValidationList(Net):
    """Fills a list in validation, and trains on it."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def training_step(self, batch, batch_idx):
        return super().training_step(batch, batch_idx) * (1 + 0.1 * len(self.seen))

    def validation_step(self, batch, batch_idx):
        self.seen.append(batch[0].mean())
        super().validation_step(batch, batch_idx)


class Lookahead(torch.optim.Optimizer):
    """Pulls the weights to slow ones every third step; its state is that of another optimizer."""

    def __init__(self, inner):
        self.inner, self.defaults, self.state = inner, inner.defaults, {}  # not Optimizer's init
        self._optimizer_step_pre_hooks = OrderedDict()
        self._optimizer_step_post_hooks = OrderedDict()
        self.made = 0

    @property
    def param_groups(self):
        return self.inner.param_groups

    @torch.no_grad()
    def step(self, closure=None):
        loss = self.inner.step(closure)
        self.made += 1
        for p in self.inner.param_groups[0]["params"]:
            slow = self.inner.state[p].setdefault("slow", p.detach().clone())
            if self.made % 3 == 0:
                p.copy_(slow.lerp_(p, 0.5))
        return loss

    def state_dict(self):
        return self.inner.state_dict()


class Wrapped(Net):
    """Trains with an optimizer around another one."""

    def configure_optimizers(self):
        return Lookahead(torch.optim.AdamW(self.parameters(), LR))


class SlowGroups(Net):
    """Trains with an optimizer that keeps slow weights in its groups."""

    def configure_optimizers(self):
        from pytorch_optimizer import Lookahead as Published

        return Published(torch.optim.AdamW(self.parameters(), LR), k=3)


MODULES = [
    *(Teacher, DataTeacher, HiddenTeacher, Bank, Queue, Momentum, Stepping, Counting),
    *(ValidationBank, ValidationList, Wrapped, SlowGroups),
]


def trained(make, *callbacks, **settings):
    """Return all weights and buffers after three epochs of ten steps."""
    torch.set_num_threads(1)
    pl.seed_everything(1, verbose=False)
    module = make()
    x = torch.randn(160, 4, generator=torch.Generator().manual_seed(0))
    data = TensorDataset(x, x[:, :1].square() + x[:, 1:2])
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    quiet |= {"enable_model_summary": False, "accelerator": "cpu", "max_epochs": 3}
    trainer = pl.Trainer(**(quiet | settings), callbacks=list(callbacks))
    loaders = DataLoader(data, 16, shuffle=True), DataLoader(data, 80)
    trainer.fit(module, *loaders)
    return [value.clone() for value in module.state_dict().values()]


def same(left, right):
    return all(map(torch.equal, left, right))

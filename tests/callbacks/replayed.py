"""Runs that are searched, and replayed with what was found."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import copy
import math

import torch
import torch.nn.functional as F
from torch import nn

from autolr.callbacks import AutoLR
from autolr.online import Annealed, Check, Thresholds
from tests.callbacks.runs import (
    LR,
    RACE,
    Net,
)

RATES = (2.0**-16, 2.0**-6)  # begins with 2**-11, too low for so short a run
LIVE_FIRST = 2.0**-11


CHECKED = Annealed(
    budget=3.0,
    candidates=3,
    checks=(
        Check(0.3, 0.5, factors=(2.0**-4, 4.0), refines=True),
        Check(0.6, 0.7, factors=(0.25,)),
        Check(0.95, 0.95),
    ),
    thresholds=Thresholds(rollbacks=0, settled=1e6),  # what is learned and lost cannot be replayed
)


def searcher(**settings):
    return AutoLR(**{"strategy": RACE, "rates": RATES, **settings})


class Momentum(Net):
    """SGD with momentum."""

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=LR, momentum=0.9)


class Groups(Net):
    """Two groups at different rates."""

    def configure_optimizers(self):
        return torch.optim.AdamW(
            [
                {"params": self.body.parameters(), "lr": LR / 3},
                {"params": self.head.parameters(), "betas": (0.8, 0.95)},
            ],
            lr=LR,
        )


class Adaptive(torch.optim.Optimizer):
    """Keeps what it adapts in its groups, as Prodigy and schedule-free optimizers do."""

    def __init__(self, params, lr):
        super().__init__(params, {"lr": lr, "d": 16.0, "k": 0, "seen": torch.zeros(())})

    @torch.no_grad()
    def step(self, closure=None):
        loss = closure()
        for group in self.param_groups:
            group["k"] += 1
            for parameter in group["params"]:
                group["seen"] += parameter.grad.square().sum()
                parameter -= group["lr"] * group["d"] * parameter.grad
            group["d"] = 16 / math.sqrt(1 + float(group["seen"]))
        return loss


class GroupState(Net):
    """An optimizer with state in its groups."""

    def configure_optimizers(self):
        return Adaptive(self.parameters(), lr=LR)


class Teacher(Net):
    """A teacher that follows its student in ``on_train_batch_end``, as in BYOL and DINO."""

    def __init__(self):
        super().__init__()
        self.teacher = copy.deepcopy(self.body).requires_grad_(False)

    def training_step(self, batch, batch_idx):
        away = F.mse_loss(self.body(batch[0]), self.teacher(batch[0]))
        return super().training_step(batch, batch_idx) + 0.3 * away

    def on_train_batch_end(self, outputs, batch, batch_idx):
        for old, new in zip(self.teacher.parameters(), self.body.parameters(), strict=True):
            old.data.lerp_(new.data, 0.2)

    def configure_optimizers(self):
        return torch.optim.AdamW([*self.body.parameters(), *self.head.parameters()], lr=LR)


class Progress(Net):
    """Weighs its loss by the number of optimizer steps made."""

    def training_step(self, batch, batch_idx):
        loss = super().training_step(batch, batch_idx)
        assert self.trainer.global_step == self.global_step
        return loss * (1 + self.global_step % 3)


class PerEpoch(Net):
    """Sets plain attributes in hooks that only the run itself goes through."""

    def __init__(self):
        super().__init__()
        self.weight = 0.0
        self.batches = 0

    def on_train_epoch_start(self):
        self.weight = 1.0 + self.current_epoch

    def on_train_batch_start(self, batch, batch_idx):
        self.batches += 1

    def training_step(self, batch, batch_idx):
        weight = self.weight + 0.1 * self.batches
        return weight * super().training_step(batch, batch_idx)


class LateInit(Net):
    """Makes its first state as training begins."""

    def on_train_start(self):
        nn.init.normal_(self.head[1].weight)


class Hidden(Net):
    """Carries a state from batch to batch of an epoch in a tuple."""

    def on_train_epoch_start(self):
        self.hidden = (torch.zeros(4), 0)

    def training_step(self, batch, batch_idx):
        mean, count = self.hidden
        logits = self(batch[0]) + 0.3 * mean
        self.hidden = (0.8 * mean + 0.2 * logits.mean(0).detach(), count + 1)
        return F.cross_entropy(logits, batch[1])


class Popping(Net):
    """Takes its batches apart and changes them in place."""

    def training_step(self, batch, batch_idx):
        labels = batch.pop()
        return super().training_step([batch[0].mul_(0.5), labels], batch_idx)


class Skipping(Net):
    """Leaves out every fifth batch."""

    def training_step(self, batch, batch_idx):
        loss = super().training_step(batch, batch_idx)
        return None if batch_idx == 4 else loss


class Hooks(Net):
    """Changes gradients around backward and the step."""

    def on_after_backward(self):
        for parameter in self.body.parameters():
            parameter.grad.mul_(0.5)

    def on_before_optimizer_step(self, optimizer):
        for parameter in self.head.parameters():
            parameter.grad.add_(torch.randn_like(parameter.grad), alpha=0.01)

    def configure_gradient_clipping(self, optimizer, gradient_clip_val, gradient_clip_algorithm):
        for group in optimizer.param_groups:
            nn.utils.clip_grad_value_(group["params"], 0.05)


class OwnSteps(Net):
    """Writes the rate itself, and steps, goes backward and zeroes gradients in its own way."""

    def optimizer_step(self, epoch, batch_idx, optimizer, closure):
        assert isinstance(optimizer, torch.optim.AdamW)
        for group in optimizer.param_groups:
            group["lr"] = LR * min(1.0, (self.global_step + 1) / 8)
        optimizer.step(closure=closure)

    def backward(self, loss):
        (2 * loss).backward()

    def optimizer_zero_grad(self, epoch, batch_idx, optimizer):
        optimizer.zero_grad(set_to_none=batch_idx % 2 == 0)


SETUPS = {
    "plain": (Net, {}),
    "max_steps within an epoch": (Net, {"max_epochs": -1, "max_steps": 26}),
    "part of the training data": (Net, {"limit_train_batches": 5, "max_epochs": 6}),
    "its own way to step": (OwnSteps, {}),
    "accumulated gradients, a partial last window": (
        Net,
        {"accumulate_grad_batches": 3, "max_epochs": 10},
    ),
    "clipping by norm": (Momentum, {"gradient_clip_val": 0.3}),
    "clipping by value": (
        Momentum,
        {"gradient_clip_val": 0.02, "gradient_clip_algorithm": "value"},
    ),
    "several groups": (Groups, {}),
    "state in groups": (GroupState, {}),
    "a teacher": (Teacher, {}),
    "a teacher, accumulated gradients": (
        Teacher,
        {"accumulate_grad_batches": 2, "max_epochs": 8},
    ),
    "loss that knows the step, accumulated": (
        Progress,
        {"accumulate_grad_batches": 2, "max_epochs": 8},
    ),
    "attributes set in hooks": (PerEpoch, {}),
    "weights made as training begins": (LateInit, {}),
    "a hidden state": (Hidden, {}),
    "batches changed in place": (Popping, {}),
    "batches left out": (Skipping, {}),
    "hooks that change gradients": (Hooks, {}),
    "no validation": (Net, {"val": None}),
    "bfloat16": (Net, {"precision": "bf16-mixed"}),
}

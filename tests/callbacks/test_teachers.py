"""A frozen copy of the network, updated in a hook of the module: each rival has its own."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from autolr.callbacks import AutoLR, FollowCandidate
from autolr.online import Annealed
from tests.callbacks.changing import Part, fit
from tests.callbacks.runs import differences
from tests.callbacks.test_changing import left

pytestmark = pytest.mark.filterwarnings("ignore")


class Teacher(Part):
    """The head is drawn to what a slow copy of the network says."""

    def __init__(self):
        super().__init__()
        self.backbone[1] = nn.Identity()  # passes for statistics would update the teacher too
        self.teacher = copy.deepcopy(self.head).requires_grad_(False)

    @torch.no_grad()
    def update(self):
        for old, new in zip(self.teacher.parameters(), self.head.parameters(), strict=True):
            old.mul_(0.8).add_(new, alpha=0.2)

    def training_step(self, batch, batch_idx):
        with torch.no_grad():
            target = self.teacher(self.backbone(batch[0]))
        return super().training_step(batch, batch_idx) + F.mse_loss(self(batch[0]), target)


class InStep(Teacher):
    def training_step(self, batch, batch_idx):
        self.update()
        return super().training_step(batch, batch_idx)


class BeforeZeroGrad(Teacher):
    def on_before_zero_grad(self, optimizer):
        self.update()


class BatchEnd(Teacher):
    def on_train_batch_end(self, outputs, batch, batch_idx):
        self.update()


@pytest.mark.parametrize("make", [InStep, BeforeZeroGrad, BatchEnd])
def test_the_winner_of_a_race_is_replayed_with_its_teacher(make):
    ours = AutoLR(Annealed(race=0.3, checks=(), budget=3.0), rates=(2.0**-12, 2.0**-2))
    searched = left(*fit(make, [ours], max_epochs=4))
    result = ours.result
    assert result.copies == ()
    replayed = left(*fit(make, [FollowCandidate(result.peak, result.schedule)], max_epochs=4))
    assert differences(searched["weights"], replayed["weights"]) == []

"""What callbacks set on the module is set for every rival, at the step at which the run has it."""
# mypy: allow-untyped-calls, no-check-untyped-defs

from collections import defaultdict
from dataclasses import replace

import pytest
import torch

from autolr import schedules
from autolr.callbacks import AutoLR
from autolr.candidate import Candidate
from autolr.online import Commit, Probe, Rollback, Save
from tests.callbacks.hidden import LR, RACE, Net, trained
from tests.callbacks.namespace import pl
from tests.cases import with_slow
from tests.runtime.scripted import Scripted

pytestmark = pytest.mark.filterwarnings("ignore")

USED: defaultdict[int, list[float]] = defaultdict(list)  # by step: the weights of all that make it
SCORED: defaultdict[int, set[float]] = defaultdict(set)  # likewise, of all that are scored there


class Weighted(Net):
    """Has a weight of its loss."""

    def __init__(self):
        super().__init__()
        USED.clear()
        SCORED.clear()
        self.weight = 0.0
        self.register_buffer("factor", torch.ones(()))

    def training_step(self, batch, batch_idx):
        weight = self.weight * float(self.factor)
        if torch.is_grad_enabled():  # a pass for batch norm's statistics is behind a step
            USED[self.trainer.global_step].append(weight)
        return super().training_step(batch, batch_idx) * (1 + weight)

    def validation_step(self, batch, batch_idx):
        SCORED[self.trainer.global_step].add(self.weight * float(self.factor))
        super().validation_step(batch, batch_idx)


class Hooked(Weighted):
    """Counts in a hook that rivals go through themselves."""

    ends = 0

    def on_train_batch_end(self, outputs, batch, batch_idx):
        self.ends += 1
        assert self.ends == self.trainer.global_step


class AtStart(pl.Callback):
    """Sets it by the step that is to be made."""

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        pl_module.weight = trainer.global_step / 8


class AtEnd(pl.Callback):
    """Raises it behind each step."""

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        pl_module.weight += 1 / 8


class Written(pl.Callback):
    """Writes into a buffer."""

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        pl_module.weight = 1.0
        pl_module.factor.fill_(trainer.global_step / 8)


def raced(make, callbacks):
    callback = AutoLR(RACE, rates=(LR / 8, LR * 32))
    trained(make, *(callback if one is AutoLR else one for one in callbacks))
    return callback.result


@pytest.mark.parametrize(
    ("make", "callbacks"),
    with_slow(
        {
            "at the start, before AutoLR": (Weighted, (AtStart(), AutoLR)),
            "at the start, behind AutoLR": (Weighted, (AutoLR, AtStart())),
            "at the end, before AutoLR": (Weighted, (AtEnd(), AutoLR)),
            "at the end, behind AutoLR": (Hooked, (AutoLR, AtEnd())),
            "into a buffer": (Weighted, (AutoLR, Written())),
        },
        "at the start, behind AutoLR",
        "at the end, before AutoLR",
    ),
)
def test_rivals_make_a_step_with_what_callbacks_have_set_for_it(make, callbacks):
    raced(make, callbacks)
    assert max(map(len, USED.values())) > 1  # rivals have made some
    assert {step: set(used) for step, used in USED.items()} == {n: {n / 8} for n in range(30)}
    scored = [weights for step, weights in SCORED.items() if step % 10]  # not by the run itself
    assert scored
    assert all(len(weights) == 1 for weights in scored)


RUN = Candidate(peak=LR, schedule=schedules.constant())
HALVED = replace(RUN, peak=LR / 2)
WATCHED = Probe((RUN,), 0, 5, 2), Save(RUN), Probe((RUN,), 6, 9, 2)
COPY = Probe((RUN, HALVED), 9, 14, 2, from_saved=True, factor=0.5)


class Once(pl.Callback):
    """Sets it once, where no rival is beside the run."""

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if trainer.global_step == 7:
            pl_module.weight = 0.75


@pytest.mark.parametrize("action", [COPY, Rollback(RUN)], ids=["a rival", "a rollback"])
def test_an_older_state_gets_what_has_been_set_since(action):
    callback = AutoLR(Scripted((*WATCHED, action, Commit(HALVED))))
    trained(Weighted, Once(), callback)
    assert [(made.step, made.to) for made in callback.result.rollbacks] == [(9, 5)]
    assert {n for n, used in USED.items() if set(used) == {0.75}} == set(range(7, 30))


def test_the_trainer_keeps_its_callbacks():
    class Looks(pl.Callback):
        def on_fit_end(self, trainer, pl_module):
            self.left = list(trainer.callbacks)

    looks, callback = Looks(), AutoLR(RACE, rates=(LR / 8, LR * 32))
    trained(Weighted, looks, callback)
    assert looks.left == [looks, callback]

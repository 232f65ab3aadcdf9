"""A trial that was paused continues with what Lightning's checkpoints leave out."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import itertools
import random
from collections import OrderedDict, deque

import numpy as np
import pytest
import torch
from torch import nn

from autolr.callbacks import FollowCandidate, PruneTrial
from autolr.callbacks.pause import PauseTrial, TrialPaused
from autolr.callbacks.position import DataPosition
from autolr.callbacks.trial_state import TrialState, stateful_parts
from autolr.job import Decision
from autolr.runtime.outside_checkpoint import unkept
from tests.callbacks.namespace import pl
from tests.callbacks.runs import LR, Net, differences, fit

pytestmark = pytest.mark.filterwarnings("ignore")

LEFT = ("weights and buffers", "optimizer", "global_step", "generators")


class Curriculum(Net):
    """Adds noise that grows from epoch to epoch."""

    level = 0.0

    def training_step(self, batch, batch_idx):
        noise = self.noise() * torch.randn_like(batch[0])
        return super().training_step([batch[0] + noise, batch[1]], batch_idx)

    def noise(self):
        return self.level

    def on_train_epoch_end(self):
        self.grow()

    def grow(self):
        self.level += 0.3


class AtStart(Curriculum):
    """Grows as an epoch begins, and begins anew with a fit."""

    def on_train_start(self):
        self.level = 0.0

    def on_train_epoch_start(self):
        self.level += 0.3

    def grow(self):
        pass


class Buffered(Curriculum):
    """Keeps the level in a buffer that is not persistent."""

    def __init__(self):
        super().__init__()
        self.register_buffer("height", torch.zeros(()), persistent=False)

    def noise(self):
        return self.height

    def grow(self):
        self.height += 0.3


class Rebound(Buffered):
    """Binds another tensor to the name of the buffer."""

    def grow(self):
        self.height = self.height + 0.3


class Holding(Curriculum):
    """Keeps the level in an object, with generators and containers of all kinds."""

    def __init__(self):
        super().__init__()
        self.state = type("State", (), {})()
        self.state.past = deque([0.0], maxlen=2)
        self.state.draws = np.random.default_rng(1)
        self.state.coin, self.state.old = random.Random(1), np.random.RandomState(1)
        self.state.torch, self.state.seen = torch.Generator().manual_seed(1), {1}
        self.state.array, self.state.names = np.zeros(2), OrderedDict(a=(1, 2.0))

    def noise(self):
        state = self.state
        drawn = state.draws.random() + state.coin.random() + state.old.rand()
        drawn += torch.rand(1, generator=state.torch).item() + len(state.seen)
        state.array += drawn
        state.past.append(0.1 * drawn)
        state.names["b"] = state.names["a"][1] + 0.1 * drawn
        return 0.1 * sum(state.past) + 0.01 * float(state.array.mean().clip(0, 9))

    def grow(self):
        self.state.seen.add(self.current_epoch)


class Hidden(Curriculum):
    """Trains towards a network in a list, which follows the model."""

    def __init__(self):
        super().__init__()
        self.hidden = [nn.Linear(64, 4).requires_grad_(False)]

    def noise(self):
        with torch.no_grad():
            self.hidden[0].weight.lerp_(self.head[1].weight, 0.1)
        return float(self.hidden[0].weight.std())


class Dropping(Curriculum):
    """Lets the rate of dropout fall, and the level rise in the hyper-parameters."""

    def __init__(self):
        super().__init__()
        self.save_hyperparameters({"level": 0.0})

    def noise(self):
        return self.hparams.level

    def grow(self):
        self.head[0].p *= 0.5
        self.hparams.level += 0.3


class Listed(Curriculum):
    """Keeps objects in a list, which no checkpoint holds."""

    def __init__(self):
        super().__init__()
        self.past = []

    def grow(self):
        self.past.append(torch.Size)


class Grow(pl.Callback):
    """Raises the level, and keeps no state."""

    def __init__(self):
        self.level = 0.0

    def on_train_epoch_end(self, trainer, pl_module):
        self.level += 0.3
        pl_module.level = self.level


class Idle(Curriculum):
    """Leaves the level to a callback."""

    def grow(self):
        pass


class Slowed(torch.optim.SGD):
    """Counts its steps, and forgets that in its state."""

    steps = 0

    def step(self, closure=None):
        self.steps += 1
        for group in self.param_groups:
            group["weight_decay"] = 0.01 * (self.steps % 7)
        return super().step(closure)


class Counted(Net):
    """Trains with that optimizer."""

    def configure_optimizers(self):
        return Slowed(self.parameters(), lr=LR, momentum=0.9)


class Judge:
    """Lets a run wait at given rungs."""

    def __init__(self, waits=()):
        self.waits, self.judged, self.remarks = set(waits), {}, []

    def remark(self, line):
        self.remarks.append(line)

    def judge(self, step, score):
        self.judged[step] = score
        return Decision.PAUSE if step in self.waits else Decision.CONTINUE


def job(folder, judge, make, callbacks, *, kept=True, train=None):
    """Train until the end or until the run is left; return the run, or None."""
    file = folder / "rung.ckpt"
    pause = PauseTrial(judge, file, known=list(judge.judged))
    first = [TrialState(judge.remark)] if kept else []
    ours = [*first, pause, FollowCandidate(2 * LR, "linear"), PruneTrial(pause, (5, 14))]
    resumed = str(file) if file.exists() else None
    users = [*(one() for one in callbacks), DataPosition(pause.leaving)]
    try:
        return fit(folder / "run", make, [*ours, *users], train=train, ckpt_path=resumed)
    except TrialPaused:
        return None


MODULES = [Curriculum, AtStart, Buffered, Rebound, Holding, Hidden, Counted, Dropping]
CASES = [(make, ()) for make in MODULES] + [(Idle, (Grow,))]


@pytest.mark.slow
@pytest.mark.parametrize(("make", "callbacks"), CASES, ids=lambda one: getattr(one, "__name__", ""))
@pytest.mark.parametrize("waits", [(5, 14)], ids=str)  # in the middle of an epoch, and at its end
def test_a_promoted_trial_ends_as_one_that_was_not_paused(tmp_path, make, callbacks, waits):
    expected = job(tmp_path / "whole", whole := Judge(), make, callbacks)
    judge = Judge(waits)
    for _ in waits:
        assert job(tmp_path / "parts", judge, make, callbacks) is None
    run = job(tmp_path / "parts", judge, make, callbacks)
    assert judge.judged == whole.judged
    for name in LEFT:
        assert differences(run.left[name], expected.left[name]) == [], name


def test_keeping_the_state_changes_nothing_of_a_run(tmp_path):
    kept = job(tmp_path / "kept", Judge(), Holding, ())
    plain = job(tmp_path / "plain", Judge(), Holding, (), kept=False)
    for name in LEFT:
        assert differences(kept.left[name], plain.left[name]) == [], name


def test_what_no_checkpoint_holds_is_named():
    module = Net()
    module.stream, module.cycle = (i for i in range(3)), itertools.cycle([1])
    assert unkept(module, {}) == ["stream (generator)", "cycle (cycle)"]


@pytest.mark.slow
def test_what_training_changes_and_no_checkpoint_holds_is_named_at_the_rung(tmp_path):
    job(tmp_path, judge := Judge((14,)), Listed, ())
    (line,) = judge.remarks
    assert line.startswith("no checkpoint holds past (type), which training has changed: ")


class Stored(pl.Callback):
    """Keeps its state itself."""

    def state_dict(self):
        return {"level": 1}


def test_a_callback_with_a_state_of_its_own_is_left_alone():
    trainer = pl.Trainer(
        logger=False, callbacks=[Grow(), Stored(), PruneTrial(None, ())], accelerator="cpu"
    )
    assert [type(part).__name__ for part in stateful_parts(trainer).values()] == ["Grow"]

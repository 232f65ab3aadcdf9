"""A search that may only pick what the user set leaves no trace, bit for bit."""
# mypy: allow-untyped-calls, no-check-untyped-defs

from functools import cache

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader
from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassPrecision, MulticlassRecall

from autolr import schedules
from autolr.callbacks import AutoLR
from autolr.online import Annealed, Check, Thresholds
from tests.callbacks.runs import (
    LR,
    TRAIN,
    VAL,
    Net,
    Stream,
    differences,
    fit,
    train_loader,
    val_loader,
)
from tests.cases import with_slow


class Momentum(Net):
    """SGD with momentum."""

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=LR, momentum=0.9, nesterov=True)


class Groups(Net):
    """Two groups at different rates."""

    def configure_optimizers(self):
        groups = [
            {"params": self.body.parameters(), "lr": LR / 3, "weight_decay": 0.0},
            {"params": self.head.parameters()},
        ]
        return torch.optim.AdamW(groups, lr=LR)


class Outputs(Net):
    """Gathers outputs in lists, the idiom of Lightning's migration guide."""

    def __init__(self):
        super().__init__()
        self.training_step_outputs = []
        self.validation_step_outputs = []

    def training_step(self, batch, batch_idx):
        loss = super().training_step(batch, batch_idx)
        self.training_step_outputs.append(loss)
        return {"loss": loss, "size": len(batch[0])}

    def on_train_epoch_end(self):
        self.log("train_mean", torch.stack(self.training_step_outputs).mean())
        self.log("train_count", float(len(self.training_step_outputs)))
        self.training_step_outputs.clear()

    def validation_step(self, batch, batch_idx):
        self.validation_step_outputs.append(F.cross_entropy(self(batch[0]), batch[1]))

    def on_validation_epoch_end(self):
        self.log("val_loss", torch.stack(self.validation_step_outputs).mean())
        self.validation_step_outputs.clear()


class Counting(Net):
    """Counts its calls, and lets the counters act on the loss."""

    def __init__(self):
        super().__init__()
        self.calls = 0
        self.hidden = (torch.zeros(4), [0])
        self.loss_ends = 0

    def training_step(self, batch, batch_idx):
        self.calls += 1
        self.hidden[1][0] += 1
        self.hidden = (0.9 * self.hidden[0] + self(batch[0]).mean(0).detach(), self.hidden[1])
        self.log("calls", float(self.calls))
        weight = 1 + 0.01 * self.calls + self.hidden[0].sum().sin()
        return weight * super().training_step(batch, batch_idx)

    def on_train_batch_end(self, outputs, batch, batch_idx):
        self.loss_ends += 1
        self.log("ends", float(self.loss_ends))


class Talking(Net):
    """Logs its state in hooks, and to the logger itself."""

    def tell(self, name):
        weight = float(self.head[1].weight.sum())
        self.logger.log_metrics({name: weight}, step=self.global_step)
        return weight

    def training_step(self, batch, batch_idx):
        self.tell("direct")
        return super().training_step(batch, batch_idx)

    def on_train_batch_end(self, outputs, batch, batch_idx):
        self.log("end", self.tell("direct_end"), on_step=True, on_epoch=True)

    def validation_step(self, batch, batch_idx):
        self.tell("direct_val")
        super().validation_step(batch, batch_idx)


class Noisy(Net):
    """Draws from a generator of its own, and from all global ones, in every hook."""

    def __init__(self):
        super().__init__()
        self.own = torch.Generator().manual_seed(5)

    def on_train_batch_start(self, batch, batch_idx):
        torch.rand(1)

    def training_step(self, batch, batch_idx):
        loss = super().training_step(batch, batch_idx)
        size = float(loss.detach().nan_to_num().clamp(max=1e3))
        torch.rand(1 + int(1e4 * size) % 5)  # another state draws another number of them
        return loss * (1 + 0.1 * torch.rand(1, generator=self.own).item())

    def on_train_batch_end(self, outputs, batch, batch_idx):
        self.log("drawn", torch.rand(1))

    def on_validation_epoch_start(self):
        torch.rand(3)


class Popping(Net):
    """Takes its batches apart and changes them in place."""

    def training_step(self, batch, batch_idx):
        labels = batch.pop()
        return super().training_step([batch[0].mul_(0.5), labels], batch_idx)

    def validation_step(self, batch, batch_idx):
        labels = batch.pop()
        super().validation_step([batch[0].mul_(0.5), labels], batch_idx)


class Collection(Net):
    """Metrics that share their sums, in training and in validation."""

    def __init__(self):
        super().__init__()
        metrics = MetricCollection([MulticlassPrecision(4), MulticlassRecall(4)])
        self.train_all = metrics.clone("train_")
        self.val_all = metrics.clone("val_")

    def training_step(self, batch, batch_idx):
        self.train_all.update(self(batch[0]), batch[1])
        self.log_dict(self.train_all, on_step=False, on_epoch=True)
        return super().training_step(batch, batch_idx)

    def validation_step(self, batch, batch_idx):
        self.val_all.update(self(batch[0]), batch[1])
        self.log_dict(self.val_all)
        super().validation_step(batch, batch_idx)


class Recurrent(Net):
    """A recurrent layer that keeps its weights in a plain list too."""

    def __init__(self):
        super().__init__()

        class Own(nn.GRU):
            pass

        self.body = Own(6, 16, batch_first=True)
        self.head = nn.Linear(16, 4)

    def forward(self, images):
        return self.head(self.body(images[:, 0])[0][:, -1])


class Buffered(Net):
    """Keeps a running mean in a buffer, which validation uses."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(()), persistent=False)

    def forward(self, images):
        if self.training:
            self.mean = 0.9 * self.mean + 0.1 * images.mean()
        return super().forward(images - self.mean)


class Two(Net):
    """Validates on two loaders."""

    def validation_step(self, batch, batch_idx, dataloader_idx):
        self.log("val_loss", F.cross_entropy(self(batch[0]), batch[1]))


def own_generators():
    return {
        "train": train_loader(generator=torch.Generator().manual_seed(8)),
        "val": DataLoader(VAL, 16, shuffle=True, generator=torch.Generator().manual_seed(9)),
    }


def one_generator():
    shared = torch.Generator().manual_seed(8)
    return {
        "train": train_loader(generator=shared),
        "val": DataLoader(VAL, 16, shuffle=True, generator=shared, num_workers=1),
    }


NO_SANITY = {"num_sanity_val_steps": 0}
SETUPS = {
    "two workers": (Net, lambda: {"train": train_loader(num_workers=2)}),
    "accumulated gradients, a partial last window": (
        Net,
        lambda: {"accumulate_grad_batches": 3, "max_epochs": 8},
    ),
    "clipping by norm": (Net, lambda: {"gradient_clip_val": 0.3}),
    "clipping by value": (
        Momentum,
        lambda: {"gradient_clip_val": 0.01, "gradient_clip_algorithm": "value"},
    ),
    "several groups": (Groups, dict),
    "momentum": (Momentum, dict),
    "lists of outputs": (Outputs, dict),
    "counters": (Counting, dict),
    "logging in hooks": (Talking, dict),
    "own random numbers": (Noisy, dict),
    "batches changed in place": (Popping, dict),
    "metrics that share sums": (Collection, dict),
    "a recurrent layer": (Recurrent, dict),
    "a buffer": (Buffered, dict),
    "no validation": (Net, lambda: {"val": None}),
    "persistent workers, no sanity check": (
        Net,
        lambda: {"val": val_loader(num_workers=1, persistent_workers=True), **NO_SANITY},
    ),
    "shuffled validation": (Net, lambda: {"val": DataLoader(VAL, 16, shuffle=True)}),
    "loaders with generators": (Net, own_generators),
    "loaders with one generator": (Net, one_generator),
    "validation within the epoch": (Net, lambda: {"val_check_interval": 3}),
    "validation at every second epoch": (
        Net,
        lambda: {"check_val_every_n_epoch": 2, **NO_SANITY},
    ),
    "part of the validation data": (Net, lambda: {"limit_val_batches": 2}),
    "two validation loaders": (
        Two,
        lambda: {"val": [val_loader(), val_loader(batch_size=7)], "best": None, "two": True},
    ),
    "max_steps": (Net, lambda: {"max_epochs": -1, "max_steps": 24}),
    "an iterable dataset": (
        Net,
        lambda: {"train": DataLoader(Stream(TRAIN), 16), "max_epochs": -1, "max_steps": 24},
    ),
    "bfloat16": (Net, lambda: {"precision": "bf16-mixed"}),
    "float64": (Net, lambda: {"precision": "64-true"}),
}
ONLY = schedules.constant()
LOSING = Annealed(  # beside rivals at 2,048 times the rate, and watched to the end
    budget=3.0,
    candidates=2,
    checks=(Check(0.6, 0.7, (2.0**11,), refines=True), Check(0.8, 0.8), Check(0.95, 0.95)),
    thresholds=Thresholds(rollbacks=0),
)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """Return a function from the name of a set-up to its run without a search."""

    @cache
    def run(name):
        make, setup = SETUPS[name]
        settings = setup()
        settings.pop("two", None)
        return fit(tmp_path_factory.mktemp("plain"), make, **settings)

    return run


def searched(name, folder, *strategy, **own):
    """Return the callback of a set-up's run with a search, and the run."""
    make, setup = SETUPS[name]
    settings = setup()
    monitor = "val_loss/dataloader_idx_1" if settings.pop("two", False) else "val_loss"
    callback = AutoLR(*strategy, schedule=ONLY, monitor=monitor, **own)
    return callback, fit(folder, make, [callback], **settings)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "name",
    with_slow(
        [*SETUPS],
        "two workers",
        "accumulated gradients, a partial last window",
        "several groups",
        "counters",
        "own random numbers",
        "batches changed in place",
        "no validation",
        "loaders with one generator",
        "validation within the epoch",
        "bfloat16",
    ),
)
def test_a_search_with_one_candidate_changes_no_bit(name, plain, tmp_path):
    callback, run = searched(name, tmp_path, rates=(LR, LR))
    assert len(callback.result.scores) == 1
    assert callback.result.peak == LR
    assert callback.result.total_steps == plain(name).trainer.global_step
    assert differences(run.left, plain(name).left) == []


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", SETUPS)
def test_a_search_whose_rivals_all_lose_changes_no_bit(name, plain, tmp_path):
    callback, run = searched(name, tmp_path, LOSING, rates=(LR, LR * 2.0**22))
    assert callback.result.peak == LR
    assert callback.result.probe_steps > 0
    assert differences(run.left, plain(name).left) == []


@pytest.mark.filterwarnings("ignore")
def test_the_comparison_sees_a_difference_of_one_draw(tmp_path):
    class Draws(Net):
        def on_train_end(self):
            torch.rand(1)

    actual = differences(fit(tmp_path / "a").left, fit(tmp_path / "b", Draws).left)
    assert actual == ["/generators/2"]


@pytest.mark.filterwarnings("ignore")
def test_the_comparison_sees_another_rate(tmp_path):
    actual = differences(
        fit(tmp_path / "a").left, fit(tmp_path / "b", lambda: Net(LR * (1 + 1e-6))).left
    )
    roots = {path.split("/")[1] for path in actual}
    assert roots >= {
        "weights and buffers",
        "optimizer",
        "metrics.csv",
        "callback_metrics",
        "checkpoint",
    }


def test_without_validation_a_warning_says_what_is_compared(tmp_path):
    callback = AutoLR(schedule=ONLY, rates=(LR, LR))
    with pytest.warns(UserWarning, match="AutoLR: no validation loop, so the training loss"):
        fit(tmp_path, callbacks=[callback], val=None)
    assert callback.result.validation_passes == 0
    assert callback.result.probes.score.between(0, 5).all()

"""Features of a Trainer, its callbacks, modules and data: attached without a trace, or refused.

`docs/trainer_features.md` lists them.
"""
# mypy: allow-untyped-calls, no-check-untyped-defs

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import BatchSampler, DataLoader, SequentialSampler, SubsetRandomSampler

from autolr import AutoLR, schedules
from autolr.errors import AutoLRError
from autolr.online import Annealed, Check, Thresholds
from tests.callbacks.namespace import (
    CSVLogger,
    EMAWeightAveraging,
    ModelCheckpoint,
    StochasticWeightAveraging,
    pl,
)
from tests.callbacks.runs import LR, TRAIN, VAL, Bare, Net, Stream, differences, fit, train_loader

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

DOCUMENTED = (Path(__file__).parents[2] / "docs" / "trainer_features.md").read_text()
LOSING = Annealed(  # beside rivals at 2,048 times the rate, and watched to the end
    budget=3.0,
    candidates=2,
    checks=(Check(0.6, 0.7, (2.0**11,), refines=True), Check(0.8, 0.8), Check(0.95, 0.95)),
    thresholds=Thresholds(rollbacks=0),
)
c = pl.callbacks


class Scheduled(Net):
    """With a scheduler: a name of `SCHEDULERS`."""

    kind = ""

    def configure_optimizers(self):
        optimizer = super().configure_optimizers()
        make, interval, frequency = SCHEDULERS[self.kind]
        config = {"interval": interval, "frequency": frequency, "monitor": "val_loss"}
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": make(optimizer), **config}}


def warm(optimizer):
    parts = [s.LinearLR(optimizer, 0.1, total_iters=5), s.CosineAnnealingLR(optimizer, 23)]
    return s.SequentialLR(optimizer, parts, [5])


s = torch.optim.lr_scheduler
SCHEDULERS = {
    "cosine by step": (lambda optimizer: s.CosineAnnealingLR(optimizer, 28), "step", 1),
    "steps by epoch": (lambda optimizer: s.StepLR(optimizer, 1, 0.5), "epoch", 1),
    "one cycle": (lambda optimizer: s.OneCycleLR(optimizer, LR, 29), "step", 1),
    "every third step": (lambda optimizer: s.ExponentialLR(optimizer, 0.9), "step", 3),
    "linear, then cosine": (warm, "step", 1),
    "plateau": (lambda optimizer: s.ReduceLROnPlateau(optimizer, patience=0), "epoch", 1),
}


def scheduled(kind):
    return type("Scheduled", (Scheduled,), {"kind": kind})


class Dropping(Net):
    """Returns no loss for every third batch."""

    def training_step(self, batch, batch_idx):
        loss = super().training_step(batch, batch_idx)
        return None if batch_idx % 3 == 2 else loss


class Dictionary(Net):
    """Returns a dictionary, and takes no index."""

    def training_step(self, batch):
        return {"loss": F.cross_entropy(self(batch[0]), batch[1]), "size": len(batch[0])}


class Clipping(Net):
    """Clips gradients itself."""

    def configure_gradient_clipping(self, optimizer, gradient_clip_val, gradient_clip_algorithm):
        self.clip_gradients(optimizer, 0.05, "norm")


class Stepping(Net):
    """Overrides the optimizer's step and the zeroing of gradients, as the manual shows."""

    def optimizer_step(self, epoch, batch_idx, optimizer, optimizer_closure):
        optimizer.step(closure=optimizer_closure)

    def optimizer_zero_grad(self, epoch, batch_idx, optimizer):
        optimizer.zero_grad(set_to_none=False)


class Backward(Net):
    """Overrides the backward pass."""

    def backward(self, loss):
        (0.5 * loss).backward()


class Mapped(Net):
    """Takes dictionaries, which a hook makes of each batch."""

    def training_step(self, batch, batch_idx):
        return super().training_step([batch["x"], batch[1]], batch_idx)

    def validation_step(self, batch, batch_idx):
        super().validation_step([batch["x"], batch[1]], batch_idx)

    def on_after_batch_transfer(self, batch, dataloader_idx):
        return {"x": batch[0] * 1.5, 0: batch[0], 1: batch[1]}


class Loaders(Net):
    """Trains on two loaders at once."""

    def training_step(self, batch, batch_idx):
        parts = [part for part in batch if part is not None]
        return sum(super(Loaders, self).training_step(list(part), batch_idx) for part in parts)


class Lean(Bare):
    """Only logs a loss in validation: neither a log in training nor torchmetrics can be traced."""

    def validation_step(self, batch, batch_idx):
        self.log("val_loss", F.cross_entropy(self(batch[0]), batch[1]))


class Parts(Net):
    """Its parts are compiled."""

    def __init__(self):
        super().__init__()
        self.body = torch.compile(self.body, backend="aot_eager")
        self.head = torch.compile(self.head, backend="aot_eager")


class InPlace(Net):
    """Is compiled in place."""

    def __init__(self):
        super().__init__()
        self.compile(backend="aot_eager")


class Frozen(Net):
    """Trains only its head."""

    def __init__(self):
        super().__init__()
        self.body.requires_grad_(False)

    def configure_optimizers(self):
        return torch.optim.AdamW(self.head.parameters(), lr=LR)


class Backbone(Net):
    """As `BackboneFinetuning` needs it."""

    def __init__(self):
        super().__init__()
        self.backbone = self.body

    def configure_optimizers(self):
        return torch.optim.AdamW((p for p in self.parameters() if p.requires_grad), lr=LR)


class Closure(Net):
    """An optimizer that calls its closure several times."""

    def configure_optimizers(self):
        return torch.optim.LBFGS(self.parameters(), lr=LR, max_iter=2)


class Manual(Net):
    """Optimizes by hand."""

    automatic_optimization = False

    def training_step(self, batch, batch_idx):
        optimizer = self.optimizers()
        optimizer.zero_grad()
        self.manual_backward(super().training_step(batch, batch_idx))
        optimizer.step()


class Two(Net):
    """Two optimizers, hence by hand too."""

    automatic_optimization = False

    def configure_optimizers(self):
        return [torch.optim.SGD(part.parameters(), lr=LR) for part in (self.body, self.head)]

    def training_step(self, batch, batch_idx):
        loss = super().training_step(batch, batch_idx)
        for optimizer in self.optimizers():
            self.toggle_optimizer(optimizer)
            optimizer.zero_grad()
            self.manual_backward(loss, retain_graph=True)
            self.untoggle_optimizer(optimizer)
        for optimizer in self.optimizers():
            optimizer.step()


class Iterator(Net):
    """Fetches its batches itself."""

    def training_step(self, dataloader_iter):
        batch, batch_idx, _ = next(dataloader_iter)
        return super().training_step(batch, batch_idx)


class Parametrized(Net):
    """With a weight norm and tied weights."""

    def __init__(self):
        super().__init__()
        nn.utils.parametrizations.weight_norm(self.head[1])
        self.again = self.body


def stochastic():
    return [StochasticWeightAveraging(LR, swa_epoch_start=2, annealing_epochs=1)]


TRAINER = {
    "accumulate_grad_batches": {"accumulate_grad_batches": 2},
    "gradient_clip_val": {"gradient_clip_val": 0.1},
    "gradient_clip_algorithm": {"gradient_clip_val": 0.01, "gradient_clip_algorithm": "value"},
    "precision bf16-mixed": {"precision": "bf16-mixed"},
    "precision bf16-true": {"precision": "bf16-true"},
    "precision 64-true": {"precision": "64-true"},
    "max_steps": {"max_epochs": -1, "max_steps": 20},
    "max_steps within max_epochs": {"max_steps": 20},
    "min_epochs": {"min_epochs": 2},
    "min_steps": {"min_steps": 10},
    "max_time": {"max_time": "00:01:00:00"},
    "val_check_interval, a share": {"val_check_interval": 0.5},
    "val_check_interval, batches": {"val_check_interval": 3},
    "val_check_interval, across epochs": {
        "val_check_interval": 5,
        "check_val_every_n_epoch": None,
    },
    "check_val_every_n_epoch": {"check_val_every_n_epoch": 2, "num_sanity_val_steps": 0},
    "limit_train_batches, a count": {"limit_train_batches": 5},
    "limit_train_batches, a share": {"limit_train_batches": 0.6},
    "limit_val_batches, a count": {"limit_val_batches": 2},
    "limit_val_batches, a share": {"limit_val_batches": 0.7},
    "limit_val_batches 0": {"limit_val_batches": 0, "best": None},
    "num_sanity_val_steps 0": {"num_sanity_val_steps": 0},
    "num_sanity_val_steps -1": {"num_sanity_val_steps": -1},
    "overfit_batches": {"overfit_batches": 2},
    "log_every_n_steps": {"log_every_n_steps": 7},
    "logger False": {"logger": False},
    "deterministic": {"deterministic": True},
    "benchmark": {"benchmark": True},
    "detect_anomaly": {"detect_anomaly": True, "loses": False},
    "inference_mode False": {"inference_mode": False},
    "profiler simple": {"profiler": "simple"},
    "profiler advanced": {"profiler": "advanced"},
    "reload_dataloaders_every_n_epochs": {"reload_dataloaders_every_n_epochs": 1},
    "use_distributed_sampler False": {"use_distributed_sampler": False},
    "enable_progress_bar": {"enable_progress_bar": True},
    "enable_model_summary": {"enable_model_summary": True},
}
CALLBACKS = {
    "BackboneFinetuning": (Backbone, lambda: [c.BackboneFinetuning(2, verbose=False)]),
    "DeviceStatsMonitor": (Net, lambda: [c.DeviceStatsMonitor(cpu_stats=False)]),
    "EarlyStopping": (Net, lambda: [c.EarlyStopping("val_loss", patience=9)]),
    "EMAWeightAveraging": (Net, lambda: [EMAWeightAveraging(decay=0.5)]),
    "GradientAccumulationScheduler": (
        Net,
        lambda: [c.GradientAccumulationScheduler({0: 1, 2: 2})],
    ),
    "LambdaCallback": (
        Net,
        lambda: [c.LambdaCallback(on_train_batch_end=lambda *_: torch.rand(1))],
    ),
    "LearningRateMonitor": (Net, lambda: [c.LearningRateMonitor(logging_interval="step")]),
    "LearningRateMonitor by epoch": (
        scheduled("steps by epoch"),
        lambda: [c.LearningRateMonitor(log_momentum=True)],
    ),
    "ModelCheckpoint every few steps": (
        Net,
        lambda: [ModelCheckpoint(every_n_train_steps=3, save_top_k=-1, filename="{step}")],
    ),
    "ModelPruning": (Net, lambda: [c.ModelPruning("l1_unstructured", amount=0.2)]),
    "ModelSummary": (Net, lambda: [c.ModelSummary(2)]),
    "OnExceptionCheckpoint": (Net, lambda: [c.OnExceptionCheckpoint(".")]),
    "StochasticWeightAveraging": (Net, stochastic),
    "Timer": (Net, lambda: [c.Timer("00:01:00:00")]),
}
MODULES = {
    "optimization by hand": (Manual, dict),
    "several optimizers": (Two, dict),
    "a scheduler by step": (scheduled("cosine by step"), dict),
    "a scheduler by epoch": (scheduled("steps by epoch"), dict),
    "OneCycleLR": (scheduled("one cycle"), dict),
    "a scheduler every few steps": (scheduled("every third step"), dict),
    "SequentialLR": (scheduled("linear, then cosine"), dict),
    "ReduceLROnPlateau": (scheduled("plateau"), dict),
    "training_step without a loss": (Dropping, dict),
    "training_step that returns a dictionary": (Dictionary, dict),
    "configure_gradient_clipping": (Clipping, dict),
    "optimizer_step, optimizer_zero_grad": (Stepping, dict),
    "backward": (Backward, dict),
    "on_after_batch_transfer, batches as dictionaries": (Mapped, dict),
    "frozen parameters": (Frozen, dict),
    "LBFGS": (Closure, lambda: {"loses": False}),
    "weight norm, shared modules": (Parametrized, dict),
    "two training loaders, max_size_cycle": (
        Loaders,
        lambda: {"train": pl.utilities.CombinedLoader([train_loader(), train_loader()])},
    ),
    "two training loaders, max_size": (
        Loaders,
        lambda: {
            "train": pl.utilities.CombinedLoader(
                [train_loader(), train_loader(batch_size=25)], "max_size"
            )
        },
    ),
    "an iterable dataset": (
        Net,
        lambda: {"train": DataLoader(Stream(TRAIN), 16), "max_epochs": -1, "max_steps": 20},
    ),
    "an iterable dataset in validation": (Net, lambda: {"val": DataLoader(Stream(VAL), 16)}),
    "worker processes": (
        Net,
        lambda: {"train": train_loader(num_workers=2, persistent_workers=True)},
    ),
    "a batch sampler": (
        Net,
        lambda: {
            "train": DataLoader(
                TRAIN, batch_sampler=BatchSampler(SequentialSampler(TRAIN), 16, drop_last=True)
            )
        },
    ),
    "a sampler of a subset": (
        Net,
        lambda: {"train": DataLoader(TRAIN, 16, sampler=SubsetRandomSampler(range(60)))},
    ),
    "drop_last": (Net, lambda: {"train": train_loader(drop_last=True)}),
    "a second loader in validation": (
        type(
            "TwoLoaders",
            (Net,),
            {
                "validation_step": lambda self, batch, batch_idx, dataloader_idx=0: (
                    self.log(
                        "val_loss",
                        F.cross_entropy(self(batch[0]), batch[1]),
                        add_dataloader_idx=False,
                    )
                    if dataloader_idx == 0
                    else None
                )
            },
        ),
        lambda: {"val": [DataLoader(VAL, 16), DataLoader(VAL, 16)]},
    ),
    "several loggers": (
        Net,
        lambda: {"logger": [CSVLogger("logs", name="a"), CSVLogger("logs", name="b")]},
    ),
    "torch.compile of the module": (lambda: torch.compile(Lean(), backend="aot_eager"), dict),
    "torch.compile of its parts": (Parts, dict),
    "module.compile()": (InPlace, dict),
}
REFUSED = {
    "several optimizers without a monitor": (Two, lambda: {"max_epochs": 60}),
    "training_step(dataloader_iter)": (Iterator, dict),
    "max_steps -1": (Net, lambda: {"max_epochs": -1}),
    "a data set without length, by epochs": (
        Net,
        lambda: {"train": DataLoader(Stream(TRAIN), 16), "max_epochs": 3},
    ),
}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def compared(folder, make, settings):
    """Return where a run with rivals that lose differs from the plain run, and the result."""
    follows = isinstance(make, type) and issubclass(make, Scheduled)
    loses = settings().pop("loses", not follows)
    own = {} if follows else {"schedule": schedules.constant()}
    low = {"rates": (LR, LR * 2.0**22)} if loses else {"rates": (LR, LR)}
    callback = AutoLR(LOSING, monitor="val_loss", **low, **own)
    left = []
    for name, added in (("plain", []), ("searched", [callback])):
        given = settings()
        given.pop("loses", None)
        callbacks = [*given.pop("callbacks", []), *added]
        left.append(fit(folder / name, make, callbacks, **given).left)
    optimizers = len(left[0]["order of the optimizer's state"])
    return differences(*left), callback.result, left[0]["global_step"] // optimizers


def check(folder, name, make, settings):
    changed, result, steps = compared(folder, make, settings)
    assert changed == []
    assert result.peak == pytest.approx(LR)
    assert result.total_steps == (28 if "Stochastic" in name else steps)  # SWA counts one more
    assert f"| {name} | attached |" in DOCUMENTED


@pytest.mark.parametrize("name", TRAINER)
def test_an_argument_of_the_trainer_is_attached_without_a_trace(name, folder):
    check(folder, f"`{name}`", Net, lambda: dict(TRAINER[name]))


@pytest.mark.parametrize("name", CALLBACKS)
def test_a_callback_of_lightning_is_attached_without_a_trace(name, folder):
    make, callbacks = CALLBACKS[name]
    check(folder, f"`{name}`", make, lambda: {"callbacks": callbacks()})


@pytest.mark.parametrize("name", MODULES)
def test_a_module_or_its_data_are_attached_without_a_trace(name, folder):
    make, settings = MODULES[name]
    check(folder, name, make, settings)


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_is_refused_by_a_documented_line_before_the_first_step(name, folder):
    make, settings = REFUSED[name]
    module = make()
    before = {key: value.clone() for key, value in module.state_dict().items()}
    with pytest.raises(AutoLRError) as error:
        fit(folder, lambda: module, [AutoLR()], **settings())
    assert "\n" not in str(error.value)
    assert differences(before, dict(module.state_dict())) == []
    assert f"| {name} | {error.value} |" in DOCUMENTED

"""What two processes do together for `test_ddp`, each as one rank.

All cases run in the same two processes, one after the other. What each returns, or the error that
it ends with, is written to FOLDER/CASE-RANK.pt.
"""
# mypy: allow-untyped-calls, allow-untyped-defs

import os
import sys
import time
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.strategies import DDPStrategy
from torch.utils.data import DataLoader, DistributedSampler

from autolr import schedules
from autolr.callbacks import ApplyRule, AutoLR, AverageLastSteps, FollowCandidate
from autolr.online import Annealed, AutoLRS, Thresholds
from tests.callbacks.runs import LR, TRAIN, VAL, Net, differences, images
from tests.distributed.modules import (
    RANK,
    ByHand,
    Compiled,
    Counting,
    Fragile,
    InTurns,
    Local,
    Offset,
    Partly,
    Raising,
    Refusing,
    Scheduled,
    Shifted,
    Silent,
    Smooth,
)

WORLD = int(os.environ.get("WORLD_SIZE", "1"))
CONSTANT = schedules.constant()
ONE = Annealed(candidates=2)
NEVER_BACK = Annealed(thresholds=Thresholds(rollbacks=0))
MANY = images(640, seed=4)
PRECISE: Any = {"data": MANY, "batch_size": 8, "max_epochs": 4, "precision": "64-true"}


class Seen(pl.Callback):
    """Remembers the data, and the gradients after each step."""

    def __init__(self):
        self.order, self.gradients = [], []

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.order.append(batch[0].clone())
        self.gradients += [
            None if p.grad is None else p.grad.clone() for p in pl_module.parameters()
        ]


def fit(make, callbacks=(), *, devices=2, strategy="ddp", data=TRAIN, batch_size=6, **trainer):
    """Train on both ranks; return what is left of the run on this one."""
    torch.set_num_threads(1)
    pl.seed_everything(3 + RANK, verbose=False)
    module, seen = make(), Seen()
    made = pl.Trainer(
        **{
            "accelerator": "cpu",
            "devices": devices,
            "strategy": strategy,
            "callbacks": [*callbacks, seen],
            "logger": False,
            "enable_checkpointing": False,
            "enable_progress_bar": False,
            "enable_model_summary": False,
            "max_epochs": 2,
            **trainer,
        }
    )
    own: Any = DistributedSampler(data, WORLD, RANK, shuffle=False)  # Lightning's would shuffle
    made.fit(module, DataLoader(data, batch_size, sampler=own), DataLoader(VAL, batch_size))
    return {
        "weights and buffers": module.state_dict(),
        "optimizer": [optimizer.state_dict() for optimizer in made.optimizers],
        "metrics": dict(made.callback_metrics),
        "generator": torch.get_rng_state(),
        "data": seen.order,
        "gradients": seen.gradients,
        "global_step": made.global_step,
    }


def neutral(make=Net, strategy=None, schedule=CONSTANT, **trainer):
    """Return where a run differs from one with a search that may only pick what the user set."""
    settings = strategy or {}
    plain = fit(make, strategy=DDPStrategy(**settings), **trainer)
    callback = AutoLR(schedule=schedule, rates=(LR, LR))
    searched = fit(make, [callback], strategy=DDPStrategy(**settings), **trainer)
    return {"differences": differences(plain, searched), "result": callback.result.to_dict()}


def searched(make=Smooth, folder=None, search="annealed", **settings):
    """Return the result of a search, and what it leaves."""
    callback = AutoLR(search, save_to=folder)
    left = fit(make, [callback], **{**PRECISE, **settings})
    return {"result": callback.result.to_dict(), "left": left}


def counted():
    """Return what `searched` does, and the steps that this rank's optimizer has made."""
    return {**searched(Counting), "made": Counting.made}


def compiled():
    """Return a module that is compiled as a whole."""
    return torch.compile(Smooth(), backend="aot_eager")


RULES: dict[str, dict[str, Any]] = {"sps_max": {}, "ldog": {"alpha": 1e-2}}


def ruled(**settings):
    """Return the weights that runs with rules end with."""
    return {
        name: fit(Smooth, [ApplyRule(name, own), FollowCandidate(1.0, CONSTANT)], **settings)
        for name, own in RULES.items()
    }


def replayed(make=Net, applied=(), search=NEVER_BACK, rates=None, **settings):
    """Return where a searched run differs from one that follows what was found from its start."""
    settings = {"data": MANY, "batch_size": 8, "max_epochs": 2, **settings}
    wrapped = settings.pop("strategy", {})
    callback = AutoLR(search, schedule=CONSTANT, rates=rates, monitor="val_loss")
    searched = fit(make, [*applied, callback], strategy=DDPStrategy(**wrapped), **settings)
    result = callback.result
    followers: list[pl.Callback] = [FollowCandidate(result.run_peak, result.schedule)]
    if result.averaged is not None:
        followers.append(AverageLastSteps(result.averaged.window))
    followed = fit(make, [*applied, *followers], strategy=DDPStrategy(**wrapped), **settings)
    names = ("weights and buffers", "optimizer", "generator", "data")
    actual = differences(*({name: left[name] for name in names} for left in (searched, followed)))
    return {"differences": actual, "result": result.to_dict()}


def untouched():
    """Return where gradients of a run with rivals differ from those of one without them."""
    settings = {"data": MANY, "batch_size": 8, "max_epochs": 2}
    callback = AutoLR(Annealed(checks=()), schedule=CONSTANT, rates=(1e-5, 1e-3))
    raced = fit(Net, [callback], strategy=DDPStrategy(**VIEWS), **settings)
    race = callback.result.scores
    begun_with = race[2].candidate.peak
    assert begun_with is not None
    follower = FollowCandidate(begun_with, CONSTANT)
    alone = fit(Net, [follower], strategy=DDPStrategy(**VIEWS), **settings)
    early = 6 * (race[0].horizon - 1)  # gradients of six parameters, as long as it races
    return {
        "differences": differences(raced["gradients"][:early], alone["gradients"][:early]),
        "compared": early,
    }


ACCUMULATED = {"accumulate_grad_batches": 2, "gradient_clip_val": 0.05}
VIEWS: Any = {"gradient_as_bucket_view": True}


def cases(folder):
    """Return what every process does, in this order."""
    return {
        "neutral": neutral,
        "neutral accumulating": lambda: neutral(**ACCUMULATED),
        "neutral local buffers": lambda: neutral(strategy={"broadcast_buffers": False}),
        "neutral views": lambda: neutral(strategy=VIEWS, **ACCUMULATED),
        "neutral static": lambda: neutral(strategy={"static_graph": True}),
        "neutral unused": lambda: neutral(Partly, strategy={"find_unused_parameters": True}),
        "neutral scheduler": lambda: neutral(Scheduled, schedule=None),
        "neutral compiled": lambda: neutral(Compiled),
        "replayed": replayed,
        "replayed accumulating": lambda: replayed(**ACCUMULATED),
        "replayed buffers": lambda: replayed(Shifted, **ACCUMULATED),
        "replayed views": lambda: replayed(strategy=VIEWS, **ACCUMULATED),
        "replayed unused": lambda: replayed(Partly, strategy={"find_unused_parameters": True}),
        "replayed compiled": lambda: replayed(Compiled),
        "replayed in turns": lambda: replayed(InTurns, strategy={"find_unused_parameters": True}),
        "replayed averaged": lambda: replayed(Smooth, search=ONE, rates=(LR, 4 * LR)),
        "replayed rule": lambda: replayed(applied=[ApplyRule("sps_max")]),
        "ruled": lambda: ruled(**PRECISE),
        "ruled accumulating": lambda: ruled(**PRECISE, **ACCUMULATED),
        "untouched": untouched,
        "searched": lambda: searched(folder=folder / f"saved-{RANK}"),
        "searched by hand": lambda: searched(ByHand),
        "searched accumulating": lambda: searched(**ACCUMULATED),
        "searched by losses": lambda: searched(search=AutoLRS(probes=5), **ACCUMULATED),
        "searched compiled": lambda: searched(compiled),
        "offset": lambda: searched(Offset),
        "local nan": lambda: searched(Local),
        "refusing": lambda: searched(Refusing),
        "raising": lambda: searched(Raising),
        "silent": lambda: searched(Silent),
        "searched again": searched,
        "counted": counted,
        "fragile": lambda: searched(Fragile),
        "searched at last": searched,
    }


def run_cases(made, folder, chosen):
    """Run the cases, all if none is chosen, and write down how each went."""
    for name, case in made.items():
        if chosen and name not in chosen:
            continue
        begun = time.monotonic()
        try:
            outcome = {"value": case()}
        except Exception as error:
            outcome = {"error": (type(error).__name__, str(error))}
        seconds = time.monotonic() - begun
        torch.save({**outcome, "seconds": seconds}, folder / f"{name}-{RANK}.pt")


if __name__ == "__main__":
    run_cases(cases(Path(sys.argv[1])), Path(sys.argv[1]), sys.argv[2:])

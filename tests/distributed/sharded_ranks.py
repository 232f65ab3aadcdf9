"""What two processes do together for `test_sharded`, each with a part of the weights.

As in `tests.distributed.ranks`, all cases run in the same two processes.
"""
# mypy: allow-untyped-calls, allow-untyped-defs

import pickle
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from torch.utils.data import DataLoader, DistributedSampler

from autolr import schedules
from autolr.callbacks import AutoLR, FollowCandidate
from autolr.online import Commit, Probe, Rollback, Save
from autolr.runtime.exchange import gather_back, local, locals_of
from tests.callbacks.runs import LR, RACE, TRAIN, VAL, differences
from tests.distributed.modules import RANK
from tests.distributed.ranks import ACCUMULATED, MANY, WORLD, run_cases
from tests.distributed.sharded_modules import (
    STRATEGIES,
    Body,
    BrokenOn0,
    BrokenOn1,
    NanLoss,
    NanOnOne,
    Refusing,
    fsdp1,
    fsdp2,
    tensors,
)
from tests.runtime.scripted import RUN, Scripted

LOW = 2.0**-5
NEUTRAL = ("fsdp2 net", "fsdp1 net", "tensors")
REPLAYED = ("fsdp2 net", "fsdp1 net", "tensors", "teacher fsdp2", "teacher fsdp1")
ROLLED_BACK = ("fsdp2", "fsdp1")
RESUMED = ("ddp", "fsdp2 net", "fsdp1")
ONE = ("fsdp2", "tensors")
CONSTANT = schedules.constant()


class Left(pl.Callback):
    """Keeps what is left of the run on this rank."""

    def __init__(self):
        self.values = {}

    def on_train_end(self, trainer, pl_module):
        gather_back(trainer.strategy.model)
        parameters = {n: local(p.detach()).clone() for n, p in pl_module.named_parameters()}
        (optimizer,) = trainer.optimizers
        self.values = {
            "weights": parameters,
            "buffers": {name: buffer.clone() for name, buffer in pl_module.named_buffers()},
            "optimizer": [locals_of(state) for state in optimizer.state.values()],
            "generator": torch.get_rng_state(),
            "global_step": trainer.global_step,
        }


def fit(make, strategy, callbacks=(), *, data=TRAIN, batch_size=6, ckpt_path=None, **trainer):
    """Train on both ranks; return what is left of the run on this one."""
    torch.set_num_threads(1)
    pl.seed_everything(3, verbose=False)
    module, left, plan = make(), Left(), strategy()
    made = pl.Trainer(
        **{
            **{"accelerator": "cpu", "devices": 2, "strategy": plan, "logger": False},
            **{"callbacks": [*callbacks, left], "enable_checkpointing": False},
            **{"enable_progress_bar": False, "enable_model_summary": False, "max_epochs": 2},
            **trainer,
        }
    )
    shared = strategy is tensors
    torch.manual_seed(3 if shared else 3 + RANK)
    place = (1, 0) if shared else (WORLD, RANK)
    own: Any = DistributedSampler(data, *place, shuffle=False)
    loader = DataLoader(data, batch_size, sampler=own)
    made.fit(module, loader, DataLoader(VAL, batch_size), ckpt_path=ckpt_path)
    return left.values


def neutral(name, **trainer):
    """Return where a run differs from one with a search that may only pick what the user set."""
    make, strategy = STRATEGIES[name]
    plain = fit(make, strategy, **trainer)
    callback = AutoLR(schedule=CONSTANT, rates=(LR, LR))
    searched = fit(make, strategy, [callback], **trainer)
    return {"differences": differences(plain, searched), "result": callback.result.to_dict()}


def replayed(name, **settings):
    """Return where a run that a rival has replaced differs from one with that rival's rate."""
    kind, plan = STRATEGIES[name]
    low, high = RUN, replace(RUN, peak=LR)
    probes = Probe((low, high), 0, 4, window=2), Probe((high, low), 5, 8, window=2)
    callback = AutoLR(Scripted((*probes, Commit(high))))
    searched = fit(lambda: kind(LOW), plan, [callback], **settings)
    follower = FollowCandidate(LR, CONSTANT)
    followed = fit(lambda: kind(LOW), plan, [follower], **settings)
    return {"differences": differences(searched, followed), "result": callback.result.to_dict()}


def searched(make, strategy=fsdp2, **settings):
    """Return the result of a search, and what it leaves."""
    callback = AutoLR()
    settings = {"data": MANY, "batch_size": 8, **settings}
    left = fit(make, strategy, [callback], **settings)
    return {"result": callback.result.to_dict(), "left": left}


class Rewound(pl.Callback):
    """Puts weights and momenta back at step 12 as they were at step 6, by copies of its own."""

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        gather_back(trainer.strategy.model)
        (optimizer,) = trainer.optimizers
        momenta = [state["momentum_buffer"] for state in optimizer.state.values()]
        tensors = [local(t.detach()) for t in [*pl_module.parameters(), *momenta]]
        if trainer.global_step == 6:
            self.saved = [tensor.clone() for tensor in tensors]
        if trainer.global_step == 12:
            for tensor, saved in zip(tensors, self.saved, strict=True):
                tensor.copy_(saved)


def rolled_back(name):
    """Return where a run that is rolled back differs from one that is rewound by hand."""
    probes = [Probe((RUN,), start, start + 6, window=1) for start in (0, 6)]
    actions = (probes[0], Save(RUN), probes[1], Rollback(RUN, 1.0), Commit(RUN))
    callback = AutoLR(Scripted(actions))
    make, strategy = STRATEGIES[name]
    searched = fit(make, strategy, [callback])
    rewound = fit(make, strategy, [FollowCandidate(LOW, CONSTANT), Rewound()])
    return {"differences": differences(searched, rewound), "result": callback.result.to_dict()}


class Saving(pl.Callback):
    """Writes a checkpoint at the end of the first epoch."""

    def __init__(self, path):
        self.path, self.rivals = path, -1

    def on_train_epoch_end(self, trainer, pl_module):
        if trainer.current_epoch == 0:
            trainer.save_checkpoint(self.path)


def resumed(name, folder):
    """Return where a run that is resumed in its race differs from the uninterrupted one."""
    make, strategy = STRATEGIES[name]
    path = folder / f"{name}.ckpt"
    whole, again = (AutoLR(RACE, schedule=CONSTANT) for _ in range(2))
    uninterrupted = fit(make, strategy, [whole, Saving(path)], max_epochs=4)
    torch.manual_seed(17)
    ended = fit(make, strategy, [again], max_epochs=4, ckpt_path=path)
    written = torch.load(path / "meta.pt" if path.is_dir() else path, weights_only=True)
    state = written["callbacks"][again.state_key]
    return {
        "differences": differences(uninterrupted, ended),
        "result": again.result.to_dict(),
        "whole": whole.result.to_dict(),
        "rivals": len(state["search"]["rivals"]["rivals"]),
        "bytes": len(pickle.dumps(state["search"])),
        "changes": [one and len(pickle.dumps(one)) for one in state["by_rank"]],
    }


def cases(folder):
    """Return what every process does, in this order."""
    made = {f"neutral {name}": partial(neutral, name) for name in NEUTRAL}
    made |= {f"replayed {name}": partial(replayed, name) for name in REPLAYED}
    made["replayed accumulating"] = partial(replayed, "fsdp2", **ACCUMULATED)
    made |= {f"rolled back {name}": partial(rolled_back, name) for name in ROLLED_BACK}
    made |= {f"resumed {name}": partial(resumed, name, folder) for name in RESUMED}
    made |= {f"searched {name}": partial(searched, *STRATEGIES[name]) for name in ONE}
    made["nan on one"] = partial(searched, NanOnOne)
    made["nan loss"] = partial(searched, NanLoss)
    made["refusing"] = partial(searched, Refusing)
    made["accumulating fsdp1"] = partial(searched, Body, fsdp1, **ACCUMULATED)
    return made


BREAKING = {
    "broken on 0": partial(searched, BrokenOn0),
    "broken on 1": partial(searched, BrokenOn1),
}
"""Each ends a process while the other one waits for it: they need processes of their own."""

if __name__ == "__main__":
    folder, chosen = Path(sys.argv[1]), sys.argv[2:]
    run_cases(cases(folder) | BREAKING if chosen else cases(folder), folder, chosen)

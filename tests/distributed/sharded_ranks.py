"""What two processes do together for `test_sharded`, each with a part of the weights.

As in `tests.distributed.ranks`, all cases run in the same two processes.
"""
# mypy: allow-untyped-calls, allow-untyped-defs

import math
import pickle
import sys
from functools import partial
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.strategies import DDPStrategy, FSDPStrategy, ModelParallelStrategy
from torch import nn
from torch.distributed.fsdp import FullyShardedDataParallel, fully_shard
from torch.distributed.tensor.parallel import (
    ColwiseParallel,
    RowwiseParallel,
    parallelize_module,
)
from torch.utils.data import DataLoader, DistributedSampler

from autolr import schedules
from autolr.callbacks import AutoLR, FollowCandidate
from autolr.online import Annealed, Commit, Probe, Rollback, Save, Thresholds
from autolr.runtime.exchange import gather_back, local, locals_of
from tests.callbacks.runs import LR, RACE, TRAIN, VAL, Net, differences
from tests.distributed.modules import RANK, Smooth
from tests.distributed.ranks import ACCUMULATED, MANY, WORLD, run_cases
from tests.runtime.scripted import RUN, Scripted

CONSTANT = schedules.constant()


class Fsdp1(FSDPStrategy):
    """FSDP1 on a CPU: Lightning refuses its own class there, and has no device to name."""

    def _setup_model(self, model):
        return FullyShardedDataParallel(model, device_id=torch.device("cpu"), **self.kwargs)


class Body(Smooth):
    """Layers of five units, which two processes cannot halve."""

    def __init__(self, lr=LR):
        super().__init__(lr)
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(36, 5), nn.Tanh(), nn.Linear(5, 4))


class Fsdp2(Body):
    """Each layer is sharded, and what holds them."""

    def configure_model(self):
        mesh = self.device_mesh["data_parallel"]
        for part in (self.body[1], self.body[3], self.body):
            fully_shard(part, mesh=mesh)


class Fsdp2Net(Net):
    """Batch norm, dropout and metrics; the whole module is sharded."""

    def configure_model(self):
        mesh = self.device_mesh["data_parallel"]
        for part in (self.body, self.head, self):
            fully_shard(part, mesh=mesh)


class Teaching(Body):
    """A frozen copy of a layer follows it, and its outputs are a part of the loss."""

    def __init__(self, lr=LR):
        super().__init__(lr)
        self.teacher = nn.Linear(36, 5).requires_grad_(False)

    def training_step(self, batch, batch_idx):
        targets = self.teacher(batch[0].flatten(1))
        distance = (self.body[1](batch[0].flatten(1)) - targets).square().mean()
        return super().training_step(batch, batch_idx) + distance

    def on_train_batch_end(self, *_):
        for one, other in zip(self.teacher.parameters(), self.body[1].parameters(), strict=True):
            one.data.lerp_(other.data, 0.1)


class TeachingFsdp2(Teaching):
    def configure_model(self):
        mesh = self.device_mesh["data_parallel"]
        for part in (self.body[1], self.body[3], self.teacher):
            fully_shard(part, mesh=mesh, reshard_after_forward=True)


class Tensors(Smooth):
    """Its layers are computed by two processes together, which see the same data."""

    def configure_model(self):
        plan = {"1": ColwiseParallel(), "3": RowwiseParallel()}
        parallelize_module(self.body, self.device_mesh["tensor_parallel"], plan)


def fsdp2():
    return ModelParallelStrategy(data_parallel_size=WORLD, tensor_parallel_size=1)


def tensors():
    return ModelParallelStrategy(data_parallel_size=1, tensor_parallel_size=WORLD)


def fsdp1():
    """Its full checkpoints end a process on a CPU, also without a search."""
    return Fsdp1(state_dict_type="sharded", auto_wrap_policy={nn.Linear})


STRATEGIES: dict[str, Any] = {
    "fsdp2": (Fsdp2, fsdp2),
    "fsdp2 net": (Fsdp2Net, fsdp2),
    "tensors": (Tensors, tensors),
    "fsdp1": (Body, fsdp1),
    "fsdp1 net": (Net, fsdp1),
    "ddp": (Net, DDPStrategy),
    "teacher fsdp2": (TeachingFsdp2, fsdp2),
    "teacher fsdp1": (Teaching, fsdp1),
}


NEUTRAL = ("fsdp2 net", "fsdp1 net", "tensors")
REPLAYED = ("fsdp2 net", "fsdp1 net", "tensors", "teacher fsdp2", "teacher fsdp1")
ROLLED_BACK = ("fsdp2", "fsdp1")
RESUMED = ("ddp", "fsdp2 net", "fsdp1")
ONE = ("fsdp2", "tensors")
DOUBLE: Any = {"precision": "64-true"}


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
    plain = fit(*STRATEGIES[name], **trainer)
    callback = AutoLR(schedule=CONSTANT, rates=(LR, LR))
    searched = fit(*STRATEGIES[name], [callback], **trainer)
    return {"differences": differences(plain, searched), "result": callback.result.to_dict()}


def replayed(name, **settings):
    """Return where a searched run differs from one that follows what was found from its start."""
    settings = {"data": MANY, "batch_size": 8, "max_epochs": 1, **settings}
    strategy = Annealed(thresholds=Thresholds(rollbacks=0))
    callback = AutoLR(strategy, schedule=CONSTANT, monitor="val_loss")
    (kind, plan), low = STRATEGIES[name], 2.0**-13  # with which the run itself does not win
    searched = fit(lambda: kind(low), plan, [callback], **settings)
    result = callback.result
    follower = FollowCandidate(result.run_peak, result.schedule)
    followed = fit(lambda: kind(low), plan, [follower], **settings)
    return {"differences": differences(searched, followed), "result": result.to_dict()}


class NanOnOne(Fsdp2):
    """The first gradient of the last bias is NaN: it is of the part that rank 1 holds."""

    def training_step(self, batch, batch_idx):
        return super().training_step(batch, batch_idx) + math.nan * self.bias()

    def bias(self):
        return (RANK - 1 + RANK) * self.body[3].bias.to_local().sum()


class NanLoss(Fsdp2):
    """The loss is NaN on rank 1, and no gradient is."""

    def training_step(self, batch, batch_idx):
        return super().training_step(batch, batch_idx) + (math.nan if RANK else 0)


class Refusing(Fsdp2):
    """Raises on rank 1, behind the forward pass, at rates that only one rival has."""

    def __init__(self):
        super().__init__(lr=1e-3)  # torch's default: the race is around the customary rate, 0.1

    def training_step(self, batch, batch_idx):
        loss = super().training_step(batch, batch_idx)
        if RANK == 1 and self.optimizers().param_groups[0]["lr"] > 1:
            raise ValueError("the rate\nis high")
        return loss


class Broken(Fsdp2):
    """Raises in a pass over validation data on one rank, as the other one is gathering weights."""

    passes = 0

    def on_validation_start(self):
        self.passes += 1

    def validation_step(self, batch, batch_idx):
        if self.rank == RANK and self.passes == 3:  # the first one looks for the monitor
            raise ValueError("a broken\nimage")
        super().validation_step(batch, batch_idx)


class BrokenOn0(Broken):
    rank = 0


class BrokenOn1(Broken):
    rank = 1


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
    searched = fit(*STRATEGIES[name], [callback])
    rewound = fit(*STRATEGIES[name], [FollowCandidate(RUN.peak, CONSTANT), Rewound()])
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
    made |= {f"searched {name}": partial(searched, *STRATEGIES[name], **DOUBLE) for name in ONE}
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

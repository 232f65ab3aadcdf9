"""The modules of which two processes hold a part each in `test_sharded`, and the strategies."""
# mypy: allow-untyped-calls, allow-untyped-defs

import math
from typing import Any

import torch
from lightning.pytorch.strategies import DDPStrategy, FSDPStrategy, ModelParallelStrategy
from torch import nn
from torch.distributed.fsdp import FullyShardedDataParallel, fully_shard
from torch.distributed.tensor.parallel import (
    ColwiseParallel,
    RowwiseParallel,
    parallelize_module,
)

from tests.callbacks.runs import LR, Net
from tests.distributed.modules import RANK, Smooth
from tests.distributed.ranks import WORLD


def mesh_of(module, name="data_parallel"):
    mesh: Any = module.device_mesh
    return mesh[name]


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
        mesh = mesh_of(self)
        for part in (self.body[1], self.body[3], self.body):
            fully_shard(part, mesh=mesh)


class Fsdp2Net(Net):
    """Batch norm, dropout and metrics; what is not in the head is gathered with the module."""

    def configure_model(self):
        mesh = mesh_of(self)
        for part in (self.head, self):
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
        mesh = mesh_of(self)
        for part in (self.body[1], self.body[3], self.teacher):
            fully_shard(part, mesh=mesh, reshard_after_forward=True)


class Tensors(Smooth):
    """Its layers are computed by two processes together, which see the same data."""

    def configure_model(self):
        plan = {"1": ColwiseParallel(), "3": RowwiseParallel()}
        parallelize_module(self.body, mesh_of(self, "tensor_parallel"), plan)


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


class NanOnOne(Fsdp2):
    """On rank 1 the loss is NaN, and the gradient of the part of a bias that this rank holds."""

    def training_step(self, batch, batch_idx):
        last: Any = self.body[3]
        loss = super().training_step(batch, batch_idx)
        return loss + math.nan * last.bias.to_local().sum() if RANK else loss


class NanLoss(Fsdp2):
    """The loss is NaN on rank 1, and no gradient is."""

    def training_step(self, batch, batch_idx):
        return super().training_step(batch, batch_idx) + (math.nan if RANK else 0)


class Refusing(Fsdp2):
    """Raises on rank 1, behind the forward pass, at rates that only one rival has."""

    def __init__(self):
        super().__init__(lr=0.1)

    def training_step(self, batch, batch_idx):
        loss = super().training_step(batch, batch_idx)
        (optimizer,) = self.trainer.optimizers
        if RANK == 1 and optimizer.param_groups[0]["lr"] > 1:
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

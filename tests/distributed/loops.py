"""Loops of one's own in two processes, for `test_loops`; each case as `ranks` does it.

What each returns, or the error that it ends with, is written to FOLDER/CASE-RANK.pt.
"""
# mypy: allow-untyped-calls, allow-untyped-defs

import sys
import time
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from lightning.fabric import Fabric
from torch.nn.parallel import DistributedDataParallel
from torch.optim.lr_scheduler import LambdaLR

import autolr
from tests.runtime.loops import OWN, STEPS, WIDE, data, loop, loss, net, sgd

ONCE = autolr.Annealed(checks=(), budget=2.0)


def halves(batches, rank):
    """Return this rank's half of each batch."""
    return [(inputs[rank::2], targets[rank::2]) for inputs, targets in batches]


def validate_half(model):
    """Return the losses on this rank's half of the validation data."""
    return [float(loss(model, batch)) for batch in halves(data(4, seed=2), dist.get_rank())]


def train(form, *, result=None, score=validate_half, fabric=None, total=STEPS, refuses=None):
    """Train on both ranks; by a search, or as a result of one says."""
    rank = dist.get_rank()
    model = net()
    optimizer = sgd(model, OWN if result is None else result.peak)
    torch.manual_seed(3 + rank)
    if fabric is None:
        wrapped, stepper, backward = (
            DistributedDataParallel(model),
            optimizer,
            torch.Tensor.backward,
        )
    else:
        wrapped, stepper = fabric.setup(model, optimizer)
        backward = fabric.backward
    scheduler = result and LambdaLR(optimizer, result.schedule.timed(total))
    settings = {"validate": score, "strategy": ONCE, "rates": WIDE}
    tuner: Any = None if result else autolr.Tuner(wrapped, stepper, total, **settings)
    for batch in halves(loop(total), rank):

        def forward():
            value = loss(wrapped, batch)  # noqa: B023
            if refuses is not None:
                refuses(value)
            return value

        def train_step():
            stepper.zero_grad()
            value = forward()
            backward(value)
            stepper.step()
            return value

        if result is not None:
            train_step()
            scheduler.step()
        elif form == "step":
            tuner.step(forward)
        else:
            tuner.repeat(train_step)
    left = [*model.state_dict().values(), *(s["momentum_buffer"] for s in optimizer.state.values())]
    return {"left": left, "result": (result or tuner.result).to_dict()}


def searched_and_replayed(form, **settings):
    """Return what a search leaves, and what a run with its rates does."""
    found = train(form, **settings)
    result = autolr.Result.from_dict(found["result"])
    return {**found, "replayed": train(form, result=result, **settings)["left"]}


def fails_on_one(model):
    if dist.get_rank() == 1:
        raise ValueError("no data on this rank")
    return 0.5


def dict_on_one(model):
    return {"loss": 0.5} if dist.get_rank() == 1 else 0.5


def refuses_large_losses(value):
    """Raise on one rank where a rate is too high."""
    if dist.get_rank() == 1 and value.item() > 2.5:
        raise ValueError("the loss explodes")


def run(folder):
    torch.set_num_threads(1)
    fabric = Fabric(accelerator="cpu", devices=2, strategy="ddp")
    fabric.launch()
    cases = {
        "step": lambda: searched_and_replayed("step"),
        "repeat": lambda: searched_and_replayed("repeat"),
        "training loss": lambda: searched_and_replayed("step", score=None),
        "fabric": lambda: searched_and_replayed("repeat", fabric=fabric),
        "one fails": lambda: train("step", score=fails_on_one),
        "one is a dict": lambda: train("step", score=dict_on_one),
        "one rival fails": lambda: train("step", refuses=refuses_large_losses),
    }
    for name, case in cases.items():
        start = time.monotonic()
        try:
            outcome = case()
        except Exception as error:
            outcome = {"error": f"{type(error).__name__}: {error}"}
        outcome["seconds"] = time.monotonic() - start
        torch.save(outcome, folder / f"{name}-{dist.get_rank()}.pt")


if __name__ == "__main__":
    run(Path(sys.argv[1]))

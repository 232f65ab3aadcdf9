"""Runs that are kept, cut and continued, and what must be the same at their ends."""
# mypy: allow-untyped-calls, no-check-untyped-defs

from types import SimpleNamespace

import torch

from autolr.callbacks import AutoLR
from autolr.online import Annealed, Check
from tests.callbacks.namespace import ModelCheckpoint, pl
from tests.callbacks.runs import Net, differences, fit

# Of 56 steps, 7 an epoch: a race of three peaks and the own rate up to step 20, averaged from 15
# on; two rivals from 22 to 30, averaged from 26 on; and the run alone at 45, averaged from 40 on.
EPOCHS = 8
CHECKS = (Check(0.4, 0.55, factors=(0.5, 0.25)), Check(0.8, 0.8))
RATES = (2.0**-10, 2.0**-6)
COMPARED = ("weights and buffers", "optimizer", "generators", "global_step", "modes")


def searcher(**settings):
    strategy = Annealed(candidates=3, race=0.2, checks=CHECKS, budget=3.0)
    return AutoLR(**{"strategy": strategy, "rates": RATES, **settings})


def whole_run(folder, callback, make=Net, **settings):
    """Return a run that is kept at each epoch's end, or as ``keep`` says."""
    keep = settings.pop("keep", {"save_on_train_epoch_end": True})
    kept = ModelCheckpoint(folder / "ckpt", "{step}", save_top_k=-1, **keep)
    run = fit(folder, make, [callback, kept], **{"max_epochs": EPOCHS, **settings})
    actual = {int(path.stem.split("=")[1]): path for path in (folder / "ckpt").glob("step=*.ckpt")}
    return SimpleNamespace(left=run.left, result=callback.result, checkpoints=actual)


def resume(folder, path, callback, make=Net, **settings):
    run = fit(folder, make, [callback], ckpt_path=path, **{"max_epochs": EPOCHS, **settings})
    return SimpleNamespace(left=run.left, result=callback.result)


def assert_same(whole, rest):
    assert rest.result == whole.result
    for name in COMPARED:
        assert differences(whole.left[name], rest.left[name], name) == []
    order = trained_on(rest)
    assert differences(trained_on(whole)[-len(order) :], order) == []


def trained_on(run):
    return [seen[3] for seen in run.left["data order"] if seen[0] == "train"]


def stored(path):
    """Return AutoLR's part of a checkpoint, loaded as a stranger's would be."""
    states = torch.load(path, weights_only=True)["callbacks"]
    (ours,) = (state for name, state in states.items() if name.startswith("AutoLR"))
    return ours


class Fails(pl.Callback):
    def __init__(self, step):
        self.step = step

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if trainer.global_step == self.step:
            raise KeyError("the disk is full")

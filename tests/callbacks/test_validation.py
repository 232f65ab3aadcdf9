"""Our own validation pass: the values of Lightning's loop, and no trace."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import lightning.pytorch as pl
import pytest
import torch
import torch.nn.functional as F
from lightning.pytorch.utilities import CombinedLoader
from torch.utils.data import DataLoader
from torchmetrics import MaxMetric, MeanMetric, MetricCollection
from torchmetrics.classification import MulticlassPrecision, MulticlassRecall

from autolr.callbacks.validation import ValidationPass
from tests.callbacks.runs import VAL, Net, Stream, images, train_loader, val_loader


class Validated(Net):
    """Logs in no way of its own."""

    def __init__(self):
        super().__init__()
        self.seen = []
        self.total = MeanMetric()
        self.highest = MaxMetric()
        self.all = MetricCollection([MulticlassPrecision(4), MulticlassRecall(4)], prefix="all_")


class Means(Validated):
    def validation_step(self, batch, batch_idx):
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("weighted", loss)  # by 16, 16 and 8 images
        self.log("unweighted", loss, batch_size=1)
        self.log("avg", loss, reduce_fx="AVG")
        self.log("torch_mean", loss, reduce_fx=torch.mean)
        self.log("both", loss, on_step=True, on_epoch=True)
        self.log("whole", batch_idx)


class Reductions(Validated):
    def validation_step(self, batch, batch_idx):
        loss = F.cross_entropy(self(batch[0]), batch[1])
        for name, how in [("a", "min"), ("b", "max"), ("c", "sum")]:
            self.log(name, loss, reduce_fx=how)
        for name, how in [("d", torch.min), ("e", max), ("f", torch.sum)]:
            self.log(name, -loss, reduce_fx=how)


class Metrics(Validated):
    def validation_step(self, batch, batch_idx):
        logits = self(batch[0])
        loss = F.cross_entropy(logits, batch[1])
        self.val_acc.update(logits, batch[1])
        self.total(loss)
        self.highest(loss)
        self.all.update(logits, batch[1])
        self.log("acc", self.val_acc)
        self.log("total", self.total, on_step=True, on_epoch=True)
        self.log_dict({"highest": self.highest, "loss": loss})
        self.log_dict(self.all)


class AtTheEnd(Validated):
    def on_validation_epoch_start(self):
        self.seen.clear()

    def validation_step(self, batch, batch_idx):
        logits = self(batch[0])
        self.val_acc.update(logits, batch[1])
        self.seen.append(F.cross_entropy(logits, batch[1]))
        return {"logits": logits}

    def on_validation_batch_end(self, outputs, batch, batch_idx):
        self.log("highest_logit", outputs["logits"].max(), reduce_fx="max")

    def on_validation_epoch_end(self):
        self.log("mean", torch.stack(self.seen).mean(), prog_bar=True)
        self.log("batches", float(len(self.seen)))
        self.log_dict({"acc": self.val_acc.compute()})
        self.val_acc.reset()


class Loaders(Validated):
    def validation_step(self, batch, batch_idx, dataloader_idx=0):
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("val_loss", loss)
        self.log("index", float(dataloader_idx))
        if dataloader_idx == 1:
            self.log("second", loss, add_dataloader_idx=False)


class Transfers(Validated):
    """Augments what it trains on as batches reach the device."""

    def on_after_batch_transfer(self, batch, dataloader_idx):
        pixels = batch[0] + 1 if self.trainer.training else batch[0]
        return [pixels, batch[1]]


class Averages(Validated):
    """Validates other weights, swapped in and out by hooks."""

    def on_validation_start(self):
        self.kept = self.head[1].weight.data
        self.head[1].weight.data = self.kept / 2

    def on_validation_end(self):
        self.head[1].weight.data = self.kept


class NoIndex(Validated):
    def validation_step(self, batch):
        self.log("val_loss", F.cross_entropy(self(batch[0]), batch[1]))


class InPlace(Validated):
    def validation_step(self, batch, batch_idx):
        batch[0].mul_(0.5)
        super().validation_step(batch, batch_idx)


class Overridden(Validated):
    """Renames what it logs."""

    def log(self, name, value, **settings):
        super().log(name.replace("_", "/"), value, **settings)

    def log_dict(self, dictionary, **settings):
        super().log_dict({f"all/{name}": value for name, value in dictionary.items()}, **settings)

    def validation_step(self, batch, batch_idx):
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("val_loss", loss)
        self.log_dict({"twice": 2 * loss})


class ReadsBack(Validated):
    """Computes a metric from those that the Trainer has."""

    def on_validation_epoch_end(self):
        self.log("rmse", self.trainer.callback_metrics["val_loss"].sqrt())


class Combined(Validated):
    """Takes the batches of two loaders at once; one of them may have ended."""

    def validation_step(self, batches, batch_idx):
        batches = batches.values() if isinstance(batches, dict) else batches
        losses = [F.cross_entropy(self(one[0]), one[1]) for one in batches if one is not None]
        self.log("val_loss", torch.stack(losses).sum())
        self.log("count", float(len(losses)), reduce_fx="sum", batch_size=1)


class Looking(Validated):
    """Reads what surrounds it."""

    def validation_step(self, batch, batch_idx):
        trainer = self.trainer
        assert trainer.validating
        assert not trainer.sanity_checking
        super().validation_step(batch, batch_idx)
        self.log("images", float(len(trainer.val_dataloaders.dataset)))
        self.log("batches", float(trainer.num_val_batches[0]))
        self.log("graph", float(torch.is_grad_enabled()))

    def on_validation_model_eval(self):
        """Leave a part in training mode, as for dropout at prediction time."""
        self.body.eval()
        self.head[0].p = 0.0

    def on_validation_epoch_start(self):
        self.log("trains", float(self.head.training))


class OwnHooks(pl.Callback):
    """Makes our passes at the end of a fit."""

    def on_train_end(self, trainer, pl_module):
        before = torch.get_rng_state()
        weights = {k: v.clone() for k, v in pl_module.state_dict().items()}
        attributes = dict(vars(pl_module.val_acc))
        passes = ValidationPass(trainer, pl_module)
        self.first_batches = passes.run(limit=1)
        self.ours = passes.run()
        self.again = passes.run()
        assert torch.equal(torch.get_rng_state(), before)
        assert all(torch.equal(v, weights[k]) for k, v in pl_module.state_dict().items())
        after = dict(vars(pl_module.val_acc))
        assert after.pop("_device") == attributes.pop("_device")
        assert all(after[name] is value for name, value in attributes.items())
        assert trainer.training
        assert "log" not in vars(pl_module)
        assert pl_module.training


def two_loaders():
    return [val_loader(), val_loader(batch_size=7)]


def combined(mode, **names):
    """Return a function that combines 3 batches with 6, in a list or under names."""

    def make():
        loaders = two_loaders()
        return CombinedLoader(dict(zip(names, loaders, strict=True)) if names else loaders, mode)

    return make


CASES = {
    "means": (Means, val_loader, {}),
    "reductions": (Reductions, val_loader, {}),
    "metrics": (Metrics, val_loader, {}),
    "at the epoch's end": (AtTheEnd, val_loader, {}),
    "two loaders": (Loaders, two_loaders, {}),
    "a dict of loaders": (Loaders, lambda: dict(zip("ab", two_loaders(), strict=True)), {}),
    "an empty loader among others": (
        Loaders,
        lambda: [DataLoader(images(0, seed=0)), *two_loaders()],
        {},
    ),
    "several loaders' shortest": (Combined, combined("min_size"), {}),
    "several loaders' longest": (Combined, combined("max_size", a=1, b=2), {}),
    "several loaders, cycled": (Combined, combined("max_size_cycle"), {}),
    "several loaders, cycled to a limit": (
        Combined,
        combined("max_size_cycle", a=1, b=2),
        {"limit_val_batches": 5},
    ),
    "several loaders in turn": (Loaders, combined("sequential"), {}),
    "an overridden log": (Overridden, val_loader, {}),
    "metrics read back": (ReadsBack, val_loader, {}),
    "a module that looks around": (Looking, val_loader, {}),
    "some batches": (Means, val_loader, {"limit_val_batches": 2}),
    "a share of the batches": (Loaders, two_loaders, {"limit_val_batches": 0.5}),
    "an iterable dataset": (Means, lambda: DataLoader(Stream(VAL), 16), {}),
    "augmented training": (Transfers, val_loader, {}),
    "swapped weights": (Averages, val_loader, {}),
    "no batch_idx": (NoIndex, val_loader, {}),
    "batches changed in place": (InPlace, val_loader, {}),
    "bfloat16": (Means, val_loader, {"precision": "bf16-mixed"}),
    "a worker": (Metrics, lambda: val_loader(num_workers=1), {}),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("make", "loaders", "settings"), CASES.values(), ids=CASES)
def test_a_pass_has_the_values_of_lightnings_own(make, loaders, settings, tmp_path):
    pl.seed_everything(1, verbose=False)
    module, own = make(), OwnHooks()
    trainer = pl.Trainer(
        accelerator="cpu",
        default_root_dir=tmp_path,
        max_steps=3,
        callbacks=[own],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        check_val_every_n_epoch=9,  # so that nothing is set up or logged before our pass
        **settings,
    )
    trainer.fit(module, train_loader(), loaders())
    assert not [name for name in trainer.callback_metrics if not name.startswith("train")]
    trainer.validate(module, loaders(), verbose=False)
    theirs = {name: float(value) for name, value in trainer.callback_metrics.items()}
    theirs = {name: value for name, value in theirs.items() if not name.startswith("train")}
    assert own.ours.keys() >= theirs.keys() != set()
    assert {name: own.ours[name] for name in theirs} == theirs  # to the last digit
    assert own.again == own.ours
    assert own.first_batches.keys() == own.ours.keys()
    assert own.first_batches != own.ours

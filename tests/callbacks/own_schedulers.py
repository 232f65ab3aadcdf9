"""A module with a scheduler of its own."""
# mypy: allow-untyped-calls, no-check-untyped-defs

from torch.optim import lr_scheduler

from autolr.callbacks import AutoLR
from tests.callbacks.runs import LR, RACE, Net

RATES = (2.0**-16, 2.0**-6)
STEPS = 28
ONLY = (LR, LR)


def searcher(**settings):
    return AutoLR(**{"strategy": RACE, "rates": RATES, **settings})


class Scheduled(Net):
    """AdamW with a scheduler made by ``scheduler(optimizer, peak)``."""

    def __init__(self, lr=LR):
        super().__init__(lr)
        self.beta1 = []

    def configure_optimizers(self):
        optimizer = self.make_optimizer()
        made = type(self).scheduler(optimizer, self.hparams.lr)
        return [optimizer], made if isinstance(made, list) else [made]

    def make_optimizer(self):
        return super().configure_optimizers()

    def on_before_optimizer_step(self, optimizer):
        group = optimizer.param_groups[0]
        self.log("stepped_with", group["lr"] * group.get("betas", [1.0])[0])


def per_step(scheduler, **settings):
    return {"scheduler": scheduler, "interval": "step", **settings}


def scheduled(scheduler, base=Scheduled):
    return type("Own", (base,), {"scheduler": staticmethod(scheduler)})


def one_cycle(optimizer, peak):
    return per_step(lr_scheduler.OneCycleLR(optimizer, peak, total_steps=STEPS, pct_start=0.2))

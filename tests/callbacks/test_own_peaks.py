"""The peak of a scheduler that the module has itself."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import pytest
import torch
from torch.optim import lr_scheduler
from torch.utils.data import DataLoader

from autolr.callbacks import AutoLR
from autolr.callbacks.own_schedulers import OwnRates
from autolr.online import Annealed
from tests.callbacks.own_schedulers import ONLY, Scheduled, one_cycle, per_step, scheduled
from tests.callbacks.runs import LR, TRAIN, Stream, fit
from tests.cases import with_slow


class Peeks(AutoLR):
    """Keeps what is known of the module's own rates."""

    def on_train_start(self, trainer, pl_module):
        super().on_train_start(trainer, pl_module)
        self.own = OwnRates.of(trainer, pl_module, trainer.max_steps)


def noam(step):
    return min((step + 1) ** -0.5, (step + 1) * 8**-1.5)


class Unknowable(lr_scheduler.LambdaLR):
    """Cannot be copied."""

    def __deepcopy__(self, memo):
        raise TypeError("holds a stream")


PEAKS = {
    # a cosine from its top: 95 % of it is where it begins
    "cosine": (lambda o, _: per_step(lr_scheduler.CosineAnnealingLR(o, 40)), LR, 1),
    # the top of a third of 40 steps, max_lr though no whole step hits it; 95 % a little earlier
    "one cycle": (
        lambda o, peak: per_step(lr_scheduler.OneCycleLR(o, peak, total_steps=40)),
        LR,
        10,
    ),
    "warm-up": (lambda o, _: per_step(lr_scheduler.LambdaLR(o, lambda k: min(k / 20, 1))), LR, 19),
    # Vaswani et al. 2017: highest at the end of its 8 steps of warm-up, 8**-0.5
    "noam": (lambda o, _: per_step(lr_scheduler.LambdaLR(o, noam)), LR * 8**-0.5, 7),
    # one more in each epoch of 7 steps
    "by epoch": (lambda o, _: lr_scheduler.LambdaLR(o, lambda epoch: 1.0 + epoch), 6 * LR, 35),
    "not copied": (lambda o, _: per_step(Unknowable(o, lambda k: k / 100)), LR, 1),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("scheduler", "peak", "rise"), with_slow(PEAKS, "one cycle", "by epoch", "not copied")
)
def test_the_peak_is_the_highest_rate_that_the_scheduler_reaches(scheduler, peak, rise, tmp_path):
    callback = Peeks(rates=ONLY)
    fit(tmp_path, scheduled(scheduler), [callback], max_epochs=-1, max_steps=40, best=None)
    assert callback.own.peak == pytest.approx(peak, rel=1e-12)
    assert callback.own.rise == rise


@pytest.mark.filterwarnings("ignore")
def test_on_data_without_a_length_it_is_known_too(tmp_path):
    callback = Peeks(rates=ONLY)
    make = scheduled(lambda o, _: per_step(lr_scheduler.LambdaLR(o, lambda k: min(k / 8, 2.0))))
    loader = DataLoader(Stream(TRAIN), 16)
    fit(tmp_path, make, [callback], train=loader, max_epochs=-1, max_steps=24)
    assert callback.own == OwnRates(2 * LR, rise=16)


@pytest.mark.filterwarnings("ignore")
def test_where_an_optimizer_has_no_customary_peak_the_range_lies_below_a_scanned_edge(tmp_path):
    class Uncommon(torch.optim.AdamW):
        """Not among the optimizers whose peaks are known."""

    class Own(Scheduled):
        scheduler = staticmethod(one_cycle)

        def make_optimizer(self):
            return Uncommon(self.parameters())

    callback = AutoLR(Annealed(budget=3.0))
    fit(tmp_path, Own, [callback])
    first = callback.result.probes[callback.result.probes.start == 0]
    edge, centre = callback.result.scan.edge, callback.result.scan.edge / 10
    own = callback.result.own_peak
    below = sorted([*(centre * 4.0**n for n in range(-2, 3)), own])
    assert list(first.peak) == pytest.approx([edge, *below], rel=1e-12)

"""The length of a run with manual optimization: batches that step, whatever ``global_step`` is."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import pytest

from autolr.callbacks import AutoLR, FollowCandidate, PruneTrial
from autolr.online import Annealed
from tests.callbacks.manual import Accumulating, Gan, Manual, Raw, circle
from tests.callbacks.namespace import Callback
from tests.callbacks.runs import LR, fit
from tests.cases import with_slow

RACE = Annealed(candidates=2, checks=(), budget=3.0)


class Fourth(Accumulating):
    every = 4  # of 7 batches: one step an epoch, and gradients wait


class Last(Accumulating):
    """Steps with the last batch of an epoch too."""

    def training_step(self, batch, batch_idx):
        last = self.trainer.is_last_batch
        return super().training_step(batch, self.every - 1 if last else batch_idx)


class Applied(Callback):
    """Remembers the rate after each batch, and whether its step was counted."""

    def __init__(self):
        self.rates = []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.rates.append(float(trainer.optimizers[0].param_groups[0]["lr"]))


LENGTHS = {
    "a step on each batch": (Manual, {}, 28),
    "a step that Lightning does not count": (Raw, {}, 28),
    "accumulation over 3": (Accumulating, {"max_epochs": 8}, 16),
    "accumulation over 3 and the rest": (Last, {"max_epochs": 8}, 24),
    "accumulation over 4 in short epochs": (Fourth, {"max_epochs": 16}, 16),
    "two optimizers": (lambda: Gan(1), {**circle()}, 28),
    "two optimizers up to a limit": (lambda: Gan(1), {**circle(), "max_steps": 31}, 16),
    "two optimizers by turns, up to a limit": (
        lambda: Gan(3),
        {**circle(), "max_steps": 60, "max_epochs": -1},
        42,  # of which 18 have the generator's step too
    ),
}


CASES = with_slow(
    [*LENGTHS],
    "accumulation over 3 and the rest",
    "two optimizers by turns, up to a limit",
)


def steps_of(rates, highest):
    """Return the distinct rates of a linear schedule up to its last step, and the last one."""
    applied = [rate for rate in rates if rate > 0]  # it is 0 while gradients wait in vain
    return len(dict.fromkeys(applied)), applied[-1] / highest


@pytest.mark.parametrize("case", CASES)
def test_a_schedule_is_laid_out_over_the_steps_that_are_made(case, tmp_path):
    make, settings, steps = LENGTHS[case]
    follow, applied = FollowCandidate(LR, "linear"), Applied()
    fit(tmp_path, make, [follow, applied], **settings)
    assert follow._length is not None
    assert follow._length.count.made == steps
    made, last = steps_of(applied.rates, LR)
    assert made == pytest.approx(steps, abs=2)  # laid out anew once the first batches are known
    assert last == pytest.approx(1 / steps, rel=0.1)


@pytest.mark.filterwarnings("error:AutoLR")
@pytest.mark.parametrize("case", CASES)
def test_a_search_begins_with_the_length_that_a_copy_shows(case, tmp_path):
    make, settings, steps = LENGTHS[case]
    monitor = "distance" if "best" in settings else None
    callback = AutoLR(RACE, monitor=monitor, mode="min", rates=(LR / 16, LR))
    fit(tmp_path, make, [callback], **settings)
    result = callback.result
    assert result.stopped_at is None
    assert result.total_steps == pytest.approx(steps, abs=1)
    assert max(score.horizon for score in result.scores) <= steps
    assert steps / 3 <= result.scores[0].horizon <= steps / 2 + 3


class Reports:
    def __init__(self):
        self.steps = []

    def report(self, value, step):
        self.steps.append(step)

    def should_prune(self):
        return False


@pytest.mark.parametrize("case", CASES)
def test_a_trial_reports_at_its_rungs(case, tmp_path):
    make, settings, steps = LENGTHS[case]
    monitor = "distance" if "best" in settings else "val_loss"
    trial = Reports()
    prune = PruneTrial(trial, (30, 60), horizon=100, monitor=monitor, mode="min")
    fit(tmp_path, make, [FollowCandidate(LR, "constant"), prune], **settings)
    assert trial.steps == [30, 60]
    assert prune.made == steps
    assert prune.run_steps == pytest.approx(steps, abs=1)


def test_a_run_that_is_cut_short_says_so(tmp_path):
    class Stops(Callback):
        def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
            trainer.should_stop = trainer.global_step >= 20

    callback = AutoLR(RACE, rates=(LR, LR))
    with pytest.warns(UserWarning, match="the run ended after 20 of 28 steps"):
        fit(tmp_path, Manual, [callback, Stops()])
    assert callback.result.stopped_at == 20

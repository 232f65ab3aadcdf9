"""Steps that are not made: batches that Lightning skips, and runs too short to compare anything."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import pytest
from torch.utils.data import default_collate

from autolr import schedules
from autolr.callbacks import AutoLR, FollowCandidate, PruneTrial
from tests.callbacks.runs import LR, RACE, Net, differences, fit, train_loader, trained

pytestmark = pytest.mark.filterwarnings("ignore")


class Gaps:
    """Collates each second batch, the first of all not, to None, which Lightning skips."""

    def __init__(self):
        self.count = 0

    def __call__(self, samples):
        self.count += 1
        return None if self.count % 2 else default_collate(samples)


def with_gaps():
    return train_loader(collate_fn=Gaps())


CONSTANT = schedules.constant()
CALLBACKS = {
    "AutoLR": lambda: AutoLR(RACE, rates=(LR, LR), schedule=CONSTANT),
    "FollowCandidate": lambda: FollowCandidate(LR, schedule=CONSTANT),
}


@pytest.mark.parametrize("make", CALLBACKS.values(), ids=CALLBACKS)
def test_batches_of_none_change_nothing_of_a_run_with_one_rate(make, tmp_path):
    alone = fit(tmp_path / "alone", train=with_gaps())
    beside = fit(tmp_path / "beside", callbacks=[make()], train=with_gaps())
    assert beside.trainer.global_step == 14
    assert differences(trained(alone.left), trained(beside.left)) == []


def test_peaks_race_over_the_batches_that_are_trained(tmp_path):
    callback = AutoLR(RACE, rates=(2.0**-16, 2.0**-6))
    found = fit(tmp_path / "found", callbacks=[callback], train=with_gaps())
    assert callback.result.compared
    follow = FollowCandidate(callback.result.peak, schedule=callback.result.candidate.schedule)
    again = fit(tmp_path / "again", callbacks=[follow], train=with_gaps())
    left, right = found.left["weights and buffers"], again.left["weights and buffers"]
    assert differences(left, right) == []


class Rungs:
    """A trial that notes when it was scored."""

    def __init__(self):
        self.steps = []

    def report(self, value, step):
        self.steps.append(step)

    def should_prune(self):
        return False


def test_a_trial_is_scored_after_steps_and_not_after_skipped_batches(tmp_path):
    trial = Rungs()
    fit(tmp_path, callbacks=[PruneTrial(trial, (4, 8))], train=with_gaps())
    assert trial.steps == [4, 8]


@pytest.mark.parametrize("steps", [1, 3])
def test_a_run_too_short_to_compare_anything_makes_its_own_steps_only(steps, tmp_path):
    made = []

    class Counting(Net):
        def training_step(self, batch, batch_idx):
            made.append(batch_idx)
            return super().training_step(batch, batch_idx)

    callback = AutoLR()
    fit(tmp_path, Counting, [callback], max_steps=steps)
    assert callback.result.probe_steps == 0
    assert made == list(range(steps))

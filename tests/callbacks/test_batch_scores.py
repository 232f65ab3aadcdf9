"""Scores by validation batch are what the module has logged for each of them."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import pytest
import torch
import torch.nn.functional as F

from autolr.callbacks import AutoLR
from autolr.online import Commit, Probe
from tests.callbacks.namespace import pl
from tests.callbacks.runs import VAL, Net, fit, val_loader
from tests.runtime.scripted import RIVAL, RUN, Scripted

pytestmark = pytest.mark.filterwarnings("ignore")

RACE = Probe((RUN, RIVAL), 0, 5, 2)
SIZES = [16, 16, 8]


class Logs(Net):
    """Logs its loss as the keywords of ``how`` say; its values can be computed beforehand."""

    how: dict[str, object] = {}  # noqa: RUF012

    def validation_step(self, batch, batch_idx, dataloader_idx=0):
        self.log("loss", value(self, batch) * (1 + dataloader_idx), **self.how)


class ByStep(Logs):
    how = {"on_step": True, "on_epoch": True}  # noqa: RUF012


class Highest(Logs):
    how = {"reduce_fx": "max"}  # noqa: RUF012


class AtTheEnd(Net):
    def on_validation_epoch_end(self):
        self.log("loss", 3.0)


class Sometimes(Net):
    """Logs nothing for the batch in the middle."""

    def validation_step(self, batch, batch_idx):
        if batch_idx != 1:
            self.log("loss", value(self, batch))


class Weighted(Net):
    def validation_step(self, batch, batch_idx):
        self.log("loss", value(self, batch), batch_size=1 + batch_idx)


def value(module, batch):
    return F.cross_entropy(module(batch[0]), batch[1])


@torch.no_grad()
def untrained():
    """Return the losses of the validation batches before the first step."""
    pl.seed_everything(3, verbose=False)
    module = Net().eval()
    return [float(value(module, batch)) for batch in val_loader()]


def observed(folder, make, monitor="loss", val=None, **settings):
    script = Scripted((RACE, Commit(RUN)))
    val = val_loader() if val is None else val
    callback = AutoLR(script, monitor=monitor, **settings)
    fit(folder, make, [callback], val=val, best=monitor, max_epochs=1)
    (seen,) = script.seen
    return seen, callback.result


def mean(values, sizes=SIZES):
    return sum(a * b for a, b in zip(values, sizes, strict=True)) / sum(sizes)


def check(seen, sizes=SIZES):
    """Check that each score is the mean of those of its batches."""
    assert len(seen.batch_scores) == 2
    for score, batches in zip(seen.scores, seen.batch_scores, strict=True):
        assert mean(batches, sizes) == pytest.approx(score, rel=1e-5)


@pytest.mark.parametrize(
    ("make", "monitor"),
    [(Logs, "loss"), (ByStep, "loss_epoch"), (ByStep, "loss")],
    ids=["of the epoch", "by step, its mean", "by step, either name"],
)
def test_they_are_the_logged_values_and_the_score_is_their_mean(make, monitor, tmp_path):
    seen, result = observed(tmp_path, make, monitor)
    assert seen.initial_batches == pytest.approx(untrained(), rel=1e-5)
    assert seen.initial == pytest.approx(mean(untrained()), rel=1e-5)
    check(seen)
    assert result.validation_passes == 3  # two candidates, and the untrained weights


def test_of_a_metric_that_should_be_high_they_are_turned_around_as_the_score_is(tmp_path):
    seen, _ = observed(tmp_path, Logs, mode="max")
    assert seen.initial_batches == pytest.approx([-x for x in untrained()], rel=1e-5)
    assert seen.initial < 0
    check(seen)


@pytest.mark.parametrize("index", [0, 1])
def test_each_of_several_loaders_has_its_own(index, tmp_path):
    loaders = [val_loader(), val_loader(batch_size=20)]
    seen, _ = observed(tmp_path, Logs, f"loss/dataloader_idx_{index}", loaders)
    check(seen, [SIZES, [20, 20]][index])
    if index == 0:
        assert seen.initial_batches == pytest.approx(untrained(), rel=1e-5)


@pytest.mark.parametrize(
    ("make", "monitor"), [(Net, "val_acc"), (Highest, "loss"), (AtTheEnd, "loss")]
)
def test_what_is_no_mean_over_batches_has_none(make, monitor, tmp_path):
    seen, _ = observed(tmp_path, make, monitor, mode="min")
    assert (seen.batch_scores, seen.initial_batches) == (None, None)
    assert seen.initial is not None


def test_a_batch_for_which_nothing_is_logged_has_none(tmp_path):
    seen, _ = observed(tmp_path, Sometimes)
    first, _, last = untrained()
    assert seen.initial_batches == pytest.approx([first, last], rel=1e-5)
    check(seen, [16, 8])


def test_batches_weigh_what_the_module_says(tmp_path):
    seen, _ = observed(tmp_path, Weighted)
    assert seen.initial_batches == pytest.approx(untrained(), rel=1e-5)
    assert seen.initial == pytest.approx(mean(untrained(), [1, 2, 3]), rel=1e-5)
    check(seen, [1, 2, 3])


def test_a_single_candidate_makes_one_pass_and_has_no_first_score(tmp_path):
    script = Scripted((Probe((RUN,), 0, 5, 2), Commit(RUN)))
    callback = AutoLR(script, monitor="loss")
    fit(tmp_path, Logs, [callback], best="loss", max_epochs=1)
    assert script.seen[0].initial is None
    assert callback.result.validation_passes == 1


def test_all_of_the_data_counts():
    assert sum(SIZES) == len(VAL)

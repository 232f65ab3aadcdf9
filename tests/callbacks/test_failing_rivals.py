"""The user's code raises where only the search runs it: the run continues."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import pytest
import torch
import torch.nn.functional as F

from autolr.callbacks import AutoLR, FollowCandidate
from autolr.online import Annealed
from tests.callbacks.runs import LR, Net, differences, fit

REFUSED = "Exception: Loss is NaN, training stopped."
RACE = Annealed(candidates=2, checks=(), budget=3.0)
LEFT = ("weights and buffers", "optimizer", "metrics.csv", "generators", "modes", "attributes")


class Steep(Net):
    """Least squares: at a high rate the loss overflows within a few steps."""

    def training_step(self, batch, batch_idx):
        return F.mse_loss(self(batch[0]), F.one_hot(batch[1], 4).float())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=LR, momentum=0.9)


class Strict(Steep):
    """Refuses a loss that explodes, as neuralforecast refuses NaN."""

    def refuse(self, loss):
        if not loss.detach() < 1e6:
            raise Exception("Loss is NaN, training stopped.")


class InTraining(Strict):
    def training_step(self, batch, batch_idx):
        loss = super().training_step(batch, batch_idx)
        self.refuse(loss)
        return loss


class InBackward(Strict):
    def training_step(self, batch, batch_idx):
        loss = super().training_step(batch, batch_idx)
        if loss.requires_grad:
            loss.register_hook(lambda _: self.refuse(loss))
        return loss


class BeforeStep(Strict):
    def on_before_optimizer_step(self, optimizer):
        self.refuse(max(p.grad.abs().max() for p in self.parameters()))


class AtBatchEnd(Strict):
    def on_train_batch_end(self, outputs, batch, batch_idx):
        self.refuse(self.head[1].weight.abs().max())


class InValidation(Net):
    def validation_step(self, batch, batch_idx):
        loss = F.cross_entropy(self(batch[0]), batch[1])
        assert loss < 3, "no sensible loss"
        self.log("val_loss", loss)


class Silent(Net):
    """Logs its metric only where it is finite."""

    def validation_step(self, batch, batch_idx):
        loss = F.cross_entropy(self(batch[0]), batch[1])
        if loss < 3:
            self.log("val_loss", loss)


def fits_alike(tmp_path, make, searcher, rate=LR, **settings):
    """Fit with a search that the run survives at its first rate; assert that nothing differs."""
    searched = fit(tmp_path / "searched", make, [searcher], **settings)
    follow = FollowCandidate(rate, searcher.result.schedule)
    plain = fit(tmp_path / "plain", make, [follow], **settings)
    for part in LEFT:
        assert differences(plain.left[part], searched.left[part], part) == []


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("make", "error"),
    [
        (InTraining, REFUSED),
        (InBackward, REFUSED),
        (BeforeStep, REFUSED),
        (AtBatchEnd, REFUSED),
        (InValidation, "AssertionError: no sensible loss"),
        (Silent, "validation logged 'val_loss' when the fit began and no longer does: "),
    ],
)
def test_a_rival_whose_code_raises_loses_and_leaves_no_trace(tmp_path, make, error, caplog):
    high = LR * 2.0 ** (14 if make in (InValidation, Silent) else 40)
    callback = AutoLR(RACE, rates=(LR, high), schedule="constant")
    caplog.set_level("INFO")
    fits_alike(tmp_path, make, callback)
    result = callback.result
    assert result.peak == LR
    (record,) = result.copies
    assert record.reason.startswith(f"a copy raised {error}")
    assert (record.ended, record.ends_search) == ((high,), False)
    assert caplog.text.count("a copy raised") == 1


@pytest.mark.filterwarnings("ignore")
def test_a_run_that_looks_for_anomalies_survives_its_rivals(tmp_path):
    class Root(Steep):
        def training_step(self, batch, batch_idx):
            loss = super().training_step(batch, batch_idx)
            return loss + 0.0 * (1e6 - loss).sqrt()

    callback = AutoLR(RACE, rates=(LR, LR * 2.0**40), schedule="constant")
    fits_alike(tmp_path, Root, callback, detect_anomaly=True)
    assert callback.result.peak == LR

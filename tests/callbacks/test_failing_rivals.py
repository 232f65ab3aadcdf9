"""The user's code raises where only the search runs it: the run continues."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import math

import pytest
import torch
import torch.nn.functional as F
from torch.distributions import Normal

from autolr.callbacks import AutoLR, FollowCandidate
from autolr.online import Annealed
from tests.callbacks.runs import LR, Bare, Net, differences, fit
from tests.callbacks.namespace import pl

FAR = (LR, LR * 2.0**140)  # the run begins with the lower one
RACE = Annealed(candidates=2, checks=(), budget=3.0)
LEFT = ("weights and buffers", "optimizer", "metrics.csv", "generators", "modes", "attributes")


class Steep(Net):
    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=LR, momentum=0.9)


class Strict(Steep):
    """Refuses a loss that is not finite, as neuralforecast does."""

    def refuse(self, loss):
        if not torch.isfinite(loss):
            raise Exception("Loss is NaN, training stopped.")


class InTraining(Strict):
    def training_step(self, batch, batch_idx):
        loss = super().training_step(batch, batch_idx)
        self.refuse(loss)
        return loss


class InBackward(Strict):
    def training_step(self, batch, batch_idx):
        loss = super().training_step(batch, batch_idx)
        loss.register_hook(lambda _, loss=loss.detach(): self.refuse(loss))
        return loss


class InDistribution(Steep):
    def training_step(self, batch, batch_idx):
        logits = self(batch[0])
        return -Normal(logits, 1.0, validate_args=True).log_prob(F.one_hot(batch[1], 4)).mean()


class InClipping(Strict):
    def on_before_optimizer_step(self, optimizer):
        parameters = list(self.parameters())
        torch.nn.utils.clip_grad_norm_(parameters, 1e9, error_if_nonfinite=True)


class AtBatchEnd(Strict):
    def on_train_batch_end(self, outputs, batch, batch_idx):
        self.refuse(sum(p.sum() for p in self.parameters()) * 0)
        self.refuse(outputs["loss"])


class InValidation(Strict):
    def validation_step(self, batch, batch_idx):
        loss = F.cross_entropy(self(batch[0]), batch[1])
        assert loss < 100, "no sensible loss"
        self.log("val_loss", loss)


class Silent(Strict):
    """Logs its metric only where it is finite."""

    def validation_step(self, batch, batch_idx):
        loss = F.cross_entropy(self(batch[0]), batch[1])
        if loss < 100:
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
    "make",
    [InTraining, InBackward, InDistribution, InClipping, AtBatchEnd, InValidation, Silent],
)
def test_a_rival_whose_code_raises_loses_and_leaves_no_trace(tmp_path, make, caplog):
    callback = AutoLR(RACE, rates=FAR, schedule="constant")
    caplog.set_level("INFO")
    fits_alike(tmp_path, make, callback)
    result = callback.result
    assert result.peak == LR
    (record,) = result.copies
    assert record.ended == (FAR[1],)
    assert not record.ends_search
    print(record, caplog.text)

"""Manual optimization with one optimizer: the search is that of automatic optimization."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import math

import pytest
import torch

from autolr.callbacks import AutoLR, FollowCandidate
from autolr.online import Annealed
from tests.callbacks.manual import Accumulating, Closing, Manual, Raw, Scheduled, Silent
from tests.callbacks.namespace import LearningRateMonitor
from tests.callbacks.runs import LR, RACE, Bare, Net, curve, differences, fit
from tests.cases import only_with_slow, with_slow

ALIKE = ("weights and buffers", "optimizer", "data order", "generators", "gradients")


class Stepped(Bare):
    """As `Scheduled`, with automatic optimization."""

    def configure_optimizers(self):
        optimizer = super().configure_optimizers()
        scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 28, LR / 16)
        return [optimizer], [{"scheduler": scheduler, "interval": "step"}]


class ByHand(Scheduled, Bare):
    """Draws nothing itself."""


class AtBatchEnd(ByHand):
    """Steps its scheduler in a hook behind those of the callbacks."""

    def training_step(self, batch, batch_idx):
        return Manual.training_step(self, batch, batch_idx)

    def on_train_batch_end(self, outputs, batch, batch_idx):
        self.lr_schedulers().step()


class Accumulated(Accumulating, Bare):
    """Likewise."""


def left(run, names=ALIKE):
    return {name: run.left[name] for name in names}


def search(folder, make, strategy=RACE, trainer=None, **settings):
    callback = AutoLR(strategy, **settings)
    run = fit(folder, make, [callback], **(trainer or {}))
    return run, callback.result


WAYS = {make.__name__: make for make in (Manual, Silent, Closing, Raw)}


@pytest.mark.parametrize("make", with_slow(WAYS, "Manual"))
def test_steps_made_by_hand_are_searched_as_those_of_the_trainer(make, tmp_path):
    automatic, expected = search(tmp_path / "automatic", Net)
    by_hand, result = search(tmp_path / "manual", make)
    assert differences(left(by_hand), left(automatic)) == []
    assert result.to_dict() == expected.to_dict()
    assert len(result.scores) >= 4


@pytest.mark.slow
def test_gradients_accumulated_by_hand_are_searched_as_those_of_the_trainer(tmp_path):
    race = Annealed(candidates=3, checks=(), budget=3.0)
    limits = {"limit_train_batches": 6, "max_epochs": 14}
    accumulated = {"accumulate_grad_batches": 3, "gradient_clip_val": 1.0}
    automatic, expected = search(tmp_path / "a", Bare, race, {**limits, **accumulated})
    by_hand, result = search(tmp_path / "m", Accumulated, race, limits)
    assert result.total_steps == expected.total_steps == 28
    assert result.to_dict() == expected.to_dict()
    names = ("weights and buffers", "optimizer", "data order")
    assert differences(left(by_hand, names), left(automatic, names)) == []


@pytest.mark.filterwarnings("error:AutoLR")
@pytest.mark.parametrize("make", [ByHand, *only_with_slow(AtBatchEnd)])
def test_a_scheduler_stepped_by_hand_is_searched_as_one_that_the_trainer_steps(make, tmp_path):
    automatic, expected = search(tmp_path / "automatic", Stepped)
    by_hand, result = search(tmp_path / "manual", make)
    assert result.own_peak == expected.own_peak == LR
    assert result.to_dict() == expected.to_dict()
    assert differences(left(by_hand), left(automatic)) == []
    assert type(by_hand.trainer.lr_scheduler_configs[0].scheduler) is (
        torch.optim.lr_scheduler.CosineAnnealingLR
    )


@pytest.mark.parametrize(
    "make",
    with_slow(
        {**WAYS, "Accumulating": Accumulating, "Scheduled": Scheduled}, "Raw", "Accumulating"
    ),
)
def test_a_search_with_one_candidate_leaves_the_run_bit_identical(make, tmp_path):
    alone = fit(tmp_path / "alone", make)
    schedule = None if make is Scheduled else "constant"
    with_search, _ = search(tmp_path / "with", make, rates=(LR, LR), schedule=schedule)
    assert differences(with_search.left, alone.left) == []


def test_the_rates_that_are_applied_are_logged(tmp_path):
    make = FollowCandidate(4 * LR, "linear")
    fit(tmp_path, Manual, [make, LearningRateMonitor()])
    rates = curve(tmp_path, "lr-AdamW")
    assert rates == pytest.approx({s: 4 * LR * (1 - s / 28) for s in range(28)})
    assert curve(tmp_path, "autolr/rate") == pytest.approx(rates)


class Uncommon(torch.optim.AdamW):
    """Not among the optimizers with a customary peak."""


def test_without_a_loss_no_scan_is_made_and_the_search_lies_around_the_users_rate(tmp_path):
    class Odd(Silent):
        def configure_optimizers(self):
            return Uncommon(self.parameters(), lr=LR)

    race = Annealed(candidates=3, checks=(), budget=40.0)
    _, result = search(tmp_path, Odd, race)
    assert result.scan is None
    assert sorted(score.candidate.peak for score in result.scores)[1] == LR


class Steep(Silent):
    """Least squares by SGD: at a high rate the weights overflow, and no loss says so."""

    def training_step(self, batch, batch_idx):
        loss = torch.nn.functional.mse_loss(self(batch[0]), torch.eye(4)[batch[1]])
        self.zero_grad()
        loss.backward()
        self.optimizers().step()

    def validation_step(self, batch, batch_idx):
        loss = torch.nn.functional.mse_loss(self(batch[0]), torch.eye(4)[batch[1]])
        self.log("val_loss", loss.nan_to_num(0.0))  # it hides that

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=LR)


def test_without_a_loss_weights_that_are_not_finite_show_that_a_rival_has_diverged(tmp_path):
    race = Annealed(candidates=2, checks=(), budget=3.0, race=0.7)
    rates = (LR, LR * 2.0**40)
    _, result = search(tmp_path, Steep, race, rates=rates, schedule="constant")
    assert result.peak == LR
    assert [score.score for score in result.scores if score.candidate.peak > LR] == [math.inf]

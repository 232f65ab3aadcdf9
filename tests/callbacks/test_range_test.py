"""A range test beside a Lightning run."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import pytest
import torch

from autolr.callbacks import AutoLR, RangeTest
from autolr.errors import ConfigError
from tests.callbacks.runs import LR, Net, differences, fit


class Scheduled(Net):
    """Two groups, and a scheduler that computes from the present rate."""

    def configure_optimizers(self):
        groups = [
            {"params": self.body.parameters(), "lr": LR / 3},
            {"params": self.head.parameters()},
        ]
        optimizer = torch.optim.SGD(groups, lr=LR, momentum=0.9)
        scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("make", "setup"), [(Net, {"accumulate_grad_batches": 3}), (Scheduled, {"val": None})]
)
def test_the_run_is_the_one_without_it_bit_for_bit(make, setup, tmp_path):
    callback = RangeTest(lowest=1e-5, highest=1e3, steps=20)
    run = fit(tmp_path / "tested", make, [callback], **setup)
    assert differences(run.left, fit(tmp_path / "plain", make, **setup).left) == []
    assert 5 < len(callback.result.losses) <= 20
    assert callback.result.suggestion > 0


@pytest.mark.filterwarnings("ignore")
def test_the_first_loss_is_that_of_the_run_itself(tmp_path):
    callback = RangeTest(steps=10)
    run = fit(tmp_path, Net, [callback], max_epochs=1)
    own = float(run.left["metrics.csv"][0]["train_loss_step"])
    assert callback.result.losses[0] == pytest.approx(own)


@pytest.mark.filterwarnings("ignore")
def test_a_fit_that_ends_before_the_test_suggests_no_rate(tmp_path):
    callback = RangeTest(steps=100)
    fit(tmp_path, Net, [callback], max_epochs=1)
    made = len(callback.result.losses)
    assert 0 < made < 100
    assert callback.result.suggestion is None
    assert str(callback.result).startswith(f"no rate is suggested: {made} of 100 steps were made")
    assert "suggested: " not in callback.result.svg()


def test_it_does_not_stand_beside_a_search(tmp_path):
    with pytest.raises(ConfigError, match="RangeTest and AutoLR both set rates"):
        fit(tmp_path, Net, [RangeTest(), AutoLR()])

"""Momentum that is cycled in a Trainer."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import pytest
import torch

from autolr.callbacks import AutoLR, CycleMomentum, FollowCandidate
from autolr.errors import UnsupportedError
from autolr.schedules import Momentum, onecycle
from tests.callbacks.namespace import pl
from tests.callbacks.runs import LR, RACE, Net, fit
from tests.cases import only_with_slow


class Used(pl.Callback):
    """Remembers rate and momentum as the optimizer steps."""

    def __init__(self):
        self.betas, self.rates = [], []

    def on_train_start(self, trainer, pl_module):
        trainer.optimizers[0].register_step_pre_hook(self._note)

    def _note(self, optimizer, args, kwargs):
        self.betas.append(optimizer.param_groups[0]["betas"])
        self.rates.append(float(optimizer.param_groups[0]["lr"]))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("accumulated", [1, 3])
def test_beside_a_candidate_it_is_the_one_cycle_policy(accumulated, tmp_path):
    used, schedule = Used(), onecycle()
    callbacks = [FollowCandidate(0.01, schedule), CycleMomentum(schedule), used]
    run = fit(tmp_path, Net, callbacks, accumulate_grad_batches=accumulated)
    steps = run.trainer.global_step
    expected = Momentum(schedule).values(steps).tolist()
    assert used.betas == [(momentum, 0.999) for momentum in expected]
    assert used.rates == pytest.approx((0.01 * schedule.values(steps)).tolist())


class OneCycle(Net):
    """torch's scheduler, which cycles the momentum of AdamW."""

    def configure_optimizers(self):
        optimizer = torch.optim.AdamW(self.parameters())
        scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, LR, total_steps=28)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }


@pytest.mark.filterwarnings("ignore")
def test_the_run_is_that_with_torchs_scheduler(tmp_path):
    expected = fit(tmp_path / "torch", OneCycle).left
    callbacks = [FollowCandidate(LR, onecycle()), CycleMomentum("onecycle")]
    actual = fit(tmp_path / "ours", Net, callbacks).left
    for name, value in expected["weights and buffers"].items():
        torch.testing.assert_close(actual["weights and buffers"][name], value, rtol=1e-3, atol=1e-5)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("first", [True, *only_with_slow(False)])
def test_rivals_train_with_the_momentum_of_the_run(first, tmp_path):
    used = Used()
    search, cycle = AutoLR(RACE, schedule="onecycle"), CycleMomentum("onecycle")
    callbacks = [cycle, search] if first else [search, cycle]
    run = fit(tmp_path, Net, [*callbacks, used])
    expected = Momentum(onecycle()).values(run.trainer.global_step).tolist()
    rivals = [3] * 14 + [0] * 14  # beside each step
    assert sum(rivals) == search.result.probe_steps
    made = [m for m, beside in zip(expected, rivals, strict=True) for _ in range(1 + beside)]
    assert [momentum for momentum, _ in used.betas] == made


@pytest.mark.filterwarnings("ignore")
def test_a_resumed_run_is_the_whole_one(tmp_path):
    def callbacks():
        return [FollowCandidate(LR, onecycle()), CycleMomentum()]

    whole = fit(tmp_path / "whole", Net, callbacks()).left
    fit(tmp_path / "cut", Net, [*callbacks(), _Cut()])
    checkpoint = tmp_path / "cut" / "kept" / "last.ckpt"
    resumed = fit(tmp_path / "rest", Net, callbacks(), ckpt_path=checkpoint).left
    groups = [left["optimizer"]["param_groups"] for left in (whole, resumed)]
    assert groups[0] == groups[1]


class _Cut(pl.Callback):
    def on_train_epoch_end(self, trainer, pl_module):
        trainer.should_stop = trainer.current_epoch == 1


@pytest.mark.filterwarnings("ignore")
def test_an_optimizer_without_momentum_is_refused(tmp_path):
    class Plain(Net):
        def configure_optimizers(self):
            return torch.optim.Adagrad(self.parameters(), lr=LR)

    with pytest.raises(UnsupportedError, match="Adagrad has neither momentum nor betas"):
        fit(tmp_path, Plain, [CycleMomentum()])

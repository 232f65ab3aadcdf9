"""The rate that is applied stands in the optimizer's groups: everything reads the same one."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import pytest
import torch
from lightning.pytorch.callbacks import LearningRateMonitor
from torch.optim import lr_scheduler
from torch.utils.data import DataLoader

from autolr import schedules
from autolr.callbacks import ApplyRule, AutoLR, FollowCandidate
from autolr.errors import UnsupportedError
from tests.callbacks.namespace import pl
from tests.callbacks.runs import LR, RACE, TRAIN, Bare, Net, curve, differences, fit
from tests.callbacks.spied_rates import FALLING, RATES, Groups, Live, kept


def one_cycle(optimizer):
    return lr_scheduler.OneCycleLR(optimizer, [LR / 4, LR], total_steps=28)


HOW = {
    "a search": (lambda: [AutoLR(RACE, rates=RATES)], None),
    "a search beside a scheduler": (lambda: [AutoLR(RACE, rates=RATES)], one_cycle),
    "a search beside a recursive scheduler": (
        lambda: [AutoLR(RACE, rates=(2 * LR, 8 * LR))],
        lambda o: lr_scheduler.ExponentialLR(o, 0.9),
    ),
    "a candidate": (lambda: [FollowCandidate(0.02, FALLING)], None),
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("first", [True, False], ids=["monitor first", "monitor last"])
@pytest.mark.parametrize("how", HOW)
def test_the_monitor_the_module_and_our_loggers_see_the_rate_of_each_step(how, first, tmp_path):
    make, scheduler = HOW[how]
    ours, monitor = make(), LearningRateMonitor("step", log_momentum=True)
    live = Live()
    callbacks = [live, monitor, *ours] if first else [live, *ours, monitor]
    module = type("Own", (Groups,), {"scheduler": staticmethod(scheduler) if scheduler else None})
    fit(tmp_path, module, callbacks)
    low, high = zip(*live.used, strict=True)
    assert list(curve(tmp_path, "lr-SpyAdamW/pg1").values()) == pytest.approx(low, rel=1e-12)
    assert list(curve(tmp_path, "lr-SpyAdamW/pg2").values()) == pytest.approx(high, rel=1e-12)
    assert list(curve(tmp_path, "autolr/rate").values()) == pytest.approx(high, rel=1e-12)
    momenta = curve(tmp_path, "lr-SpyAdamW/pg1-momentum")
    assert list(momenta.values()) == pytest.approx(live.momenta, rel=1e-12)
    # a module's log is a float32 tensor
    assert list(curve(tmp_path, "my_rate").values()) == pytest.approx(high, rel=1e-6)
    assert max(high) != pytest.approx(LR, rel=0.1)


@pytest.mark.filterwarnings("ignore")
def test_the_monitor_by_epoch_sees_the_rate_of_the_epochs_first_step(tmp_path):
    live = Live()
    fit(tmp_path, Groups, [live, LearningRateMonitor("epoch"), FollowCandidate(0.02, FALLING)])
    seen = list(curve(tmp_path, "lr-SpyAdamW/pg2").values())
    assert seen == pytest.approx([live.used[step][1] for step in (0, 7, 14, 21)], rel=1e-12)


@pytest.mark.filterwarnings("ignore")
def test_the_monitor_sees_the_rates_of_a_rules_optimizer(tmp_path):
    ours = [ApplyRule("dog"), FollowCandidate(0.5, "linear")]
    fit(tmp_path, Bare, [LearningRateMonitor("step"), *ours])
    expected = [0.5 * schedules.linear().at(step, 28) for step in range(28)]
    assert list(curve(tmp_path, "lr-RuleOptimizer").values()) == pytest.approx(expected, rel=1e-12)


class Onwards(pl.Callback):
    def on_train_batch_start(self, trainer, *_):
        self.rate = trainer.optimizers[0].param_groups[0]["lr"]
        trainer.should_stop = True


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "make",
    [lambda: AutoLR(RACE, rates=RATES), lambda: FollowCandidate(0.02, FALLING)],
    ids=["a search", "a candidate"],
)
def test_a_checkpoint_has_the_rate_of_its_next_step_and_a_resume_without_us_uses_it(make, tmp_path):
    fit(tmp_path, Bare, [make(), kept(tmp_path / "ckpt")])
    path = tmp_path / "ckpt" / "epoch=1.ckpt"
    (state,) = torch.load(path, weights_only=True)["optimizer_states"]
    rate = state["param_groups"][0]["lr"]
    assert rate == pytest.approx(curve(tmp_path, "autolr/rate")[14], rel=1e-12)
    assert rate != pytest.approx(LR, rel=0.1)
    onwards = Onwards()
    fit(tmp_path / "rest", Bare, [onwards], ckpt_path=path)
    assert onwards.rate == rate


RECURSIVE = {
    "ExponentialLR": lambda o: lr_scheduler.ExponentialLR(o, 0.9),
    "LinearLR": lambda o: lr_scheduler.LinearLR(o, 0.25, total_iters=20),
    "CosineAnnealingLR": lambda o: lr_scheduler.CosineAnnealingLR(o, 28, eta_min=LR / 8),
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", RECURSIVE)
@pytest.mark.parametrize("epoch", [0, 2], ids=["in the search", "after it"])
def test_a_resume_gives_the_scheduler_its_own_rate_back(epoch, name, tmp_path):
    class Own(Bare):
        def configure_optimizers(self):
            optimizer = super().configure_optimizers()
            made = RECURSIVE[name](optimizer)
            return [optimizer], [{"scheduler": made, "interval": "step"}]

    loader = {"train": DataLoader(TRAIN, 16)}
    whole = fit(tmp_path, Own, [AutoLR(RACE, rates=RATES), kept(tmp_path / "c")], **loader)
    path = tmp_path / "c" / f"epoch={epoch}.ckpt"
    resumed = AutoLR(RACE, rates=RATES)
    rest = fit(tmp_path / "rest", Own, [resumed], ckpt_path=path, **loader)
    assert resumed.result.factor != 1
    for part in ("weights and buffers", "optimizer"):
        assert differences(whole.left[part], rest.left[part]) == []


@pytest.mark.filterwarnings("ignore")
def test_a_resumed_candidate_is_followed_as_in_the_whole_run(tmp_path):
    loader = {"train": DataLoader(TRAIN, 16)}
    ours = [FollowCandidate(0.02, FALLING), kept(tmp_path / "c")]
    whole = fit(tmp_path, Bare, ours, **loader)
    path = tmp_path / "c" / "epoch=1.ckpt"
    again = [FollowCandidate(0.02, FALLING)]
    rest = fit(tmp_path / "rest", Bare, again, ckpt_path=path, **loader)
    for part in ("weights and buffers", "optimizer"):
        assert differences(whole.left[part], rest.left[part]) == []


@pytest.mark.filterwarnings("ignore")
def test_a_module_may_keep_the_rate_that_it_reads(tmp_path):
    class Keeps(Bare):
        def training_step(self, batch, batch_idx):
            self.hparams.rate = self.optimizers().param_groups[0]["lr"]
            return super().training_step(batch, batch_idx)

    fit(tmp_path, Keeps, [FollowCandidate(0.02, FALLING), kept(tmp_path / "c")])
    stored = torch.load(tmp_path / "c" / "epoch=1.ckpt", weights_only=True)
    kept_rate = stored["hyper_parameters"]["rate"]
    assert kept_rate == pytest.approx(curve(tmp_path, "autolr/rate")[13], rel=1e-12)


@pytest.mark.filterwarnings("ignore")
def test_a_rule_in_place_of_an_optimizer_with_a_scheduler_is_refused(tmp_path):
    class Own(Net):
        def configure_optimizers(self):
            optimizer = super().configure_optimizers()
            return [optimizer], [lr_scheduler.ExponentialLR(optimizer, 0.9)]

    with pytest.raises(UnsupportedError, match="the module's ExponentialLR belongs to the one"):
        fit(tmp_path, Own, [ApplyRule("dog")])

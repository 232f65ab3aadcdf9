"""StochasticWeightAveraging beside a search: it averages the run, and anneals the found rate."""
# mypy: allow-untyped-calls, no-check-untyped-defs

from typing import Any

import pytest
import torch
from torch.optim import lr_scheduler
from torch.utils.data import DataLoader

from autolr import schedules
from autolr.callbacks import AutoLR, FollowCandidate
from autolr.errors import ConfigError
from autolr.online import Annealed, Check
from tests.callbacks.namespace import Callback, ModelCheckpoint, StochasticWeightAveraging, pl
from tests.callbacks.runs import (
    LR,
    RACE,
    TRAIN,
    Bare,
    Net,
    curve,
    differences,
    fit,
    trained,
    val_loader,
)
from tests.cases import only_with_slow, with_slow

RATES = (2.0**-16, 2.0**-6)
LIVE_FIRST = LR  # the own rate
SWA_LR = 2.0**-8
pytestmark = pytest.mark.filterwarnings("ignore")


def swa(start=3, epochs=10, **settings):
    """Return one that averages from epoch 3 of 4 on, after step 14 of 28."""
    return StochasticWeightAveraging(SWA_LR, start, epochs, **settings)


def searcher(**settings):
    return AutoLR(**{"strategy": RACE, "rates": RATES, **settings})


class NoNorm(Net):
    """Without batch norm: no epoch is added to renew its statistics."""

    def __init__(self, lr=LR):
        super().__init__(lr)
        self.body[1] = torch.nn.Identity()


class Groups(Net):
    """Two groups at different rates."""

    def configure_optimizers(self):
        groups = [{"params": self.body.parameters(), "lr": self.hparams.lr / 4}]
        return torch.optim.AdamW(
            [*groups, {"params": self.head.parameters()}], lr=self.hparams.lr, foreach=False
        )


class TensorRate(Net):
    def configure_optimizers(self):
        rate = torch.tensor(self.hparams.lr)
        return torch.optim.AdamW(self.parameters(), lr=rate, foreach=False)


class Scheduled(Net):
    """With a scheduler by step, which forgets what others write, and is swapped for SWA's."""

    def configure_optimizers(self):
        optimizer = super().configure_optimizers()
        cosine = lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / 40)
        return [optimizer], [{"scheduler": cosine, "interval": "step"}]


class Exponential(Net):
    """With a scheduler by epoch, which continues from what others write."""

    def configure_optimizers(self):
        optimizer = super().configure_optimizers()
        return [optimizer], [lr_scheduler.ExponentialLR(optimizer, 0.5)]


SETUPS: dict[str, Any] = {
    "cosine": (Net, {}, {}),
    "linear, averages first": (Net, {"epochs": 2, "annealing_strategy": "linear"}, {}),
    "at once": (Net, {"epochs": 0}, {}),
    "at once, averages first": (Net, {"epochs": 0}, {}),
    "by share": (Net, {"start": 0.8}, {}),
    "without batch norm": (NoNorm, {}, {}),
    "several groups, averages first": (Groups, {}, {}),
    "tensor": (TensorRate, {}, {}),
    "accumulated, averages first": (
        Net,
        {"start": 6, "epochs": 2},
        {"accumulate_grad_batches": 3, "max_epochs": 10},
    ),
    "by steps": (Net, {}, {"max_steps": 25}),
}
OWN: dict[str, Any] = {
    "own, by step": (Scheduled, {}, {}),
    "own, by epoch, averages first": (Exponential, {"epochs": 2}, {}),
}


def both(callback, average, name):
    return [average, callback] if "averages first" in name else [callback, average]


def averaged(average):
    """Return what the callback keeps."""
    rates = average._swa_scheduler.state_dict()
    return {"model": average._average_model.state_dict(), "of": average.n_averaged, "rates": rates}


@pytest.mark.slow
@pytest.mark.parametrize("name", [*SETUPS, *OWN])
def test_a_search_with_one_candidate_changes_no_bit(name, tmp_path):
    make, settings, trainer = (SETUPS | OWN)[name]
    own = make in (Scheduled, Exponential)
    callback = AutoLR(schedule=None if own else schedules.constant(), rates=(LR, LR))
    averages = swa(**settings), swa(**settings)
    callbacks = both(callback, averages[0], name)
    searched = fit(tmp_path / "searched", make, callbacks, **trainer)
    assert len(callback.result.scores) == 1
    plain = fit(tmp_path / "plain", make, [averages[1]], **trainer)
    assert differences(searched.left, plain.left) == []
    assert differences(*map(averaged, averages)) == []


def following(result, base):
    """Return the module as it is trained without autolr, by torch's LambdaLR."""

    class Followed(base):
        def configure_optimizers(self):
            optimizer = super().configure_optimizers()
            timed = result.schedule.timed(result.total_steps)
            scheduler = lr_scheduler.LambdaLR(optimizer, timed)
            return [optimizer], [{"scheduler": scheduler, "interval": "step"}]

    return lambda: Followed(result.peak)


@pytest.mark.slow
@pytest.mark.parametrize("name", SETUPS)
def test_averages_are_those_of_a_plain_run_that_follows_the_result(name, tmp_path):
    make, settings, trainer = SETUPS[name]
    callback = searcher()
    averages = swa(**settings), swa(**settings), swa(**settings)
    callbacks = both(callback, averages[0], name)
    searched = fit(tmp_path / "searched", make, callbacks, **trainer)
    result = callback.result
    assert result.peak not in (LIVE_FIRST, RATES[0])  # a rival took the run's place
    plain = fit(tmp_path / "plain", following(result, make), [averages[1]], **trainer)
    assert differences(trained(searched.left), trained(plain.left)) == []
    assert differences(*map(averaged, averages[:2])) == []
    again = FollowCandidate(result.peak, result.schedule)
    callbacks = both(again, averages[2], name)
    replayed = fit(tmp_path / "replayed", make, callbacks, **trainer)
    assert differences(trained(searched.left), trained(replayed.left)) == []


@pytest.mark.parametrize("name", with_slow([*OWN], "own, by step"))
def test_a_scheduler_of_the_modules_own_is_followed_up_to_there(name, tmp_path):
    make, settings, trainer = OWN[name]
    callback, averages = searcher(), (swa(**settings), swa(**settings))
    callbacks = both(callback, averages[0], name)
    searched = fit(tmp_path / "searched", make, callbacks, **trainer)
    factor = callback.result.factor
    assert callback.result.peak not in (LIVE_FIRST, RATES[0])
    plain = fit(tmp_path / "plain", lambda: make(LR * factor), [averages[1]], **trainer)
    assert differences(trained(searched.left), trained(plain.left)) == []
    assert differences(*map(averaged, averages)) == []


class Seen(Callback):
    """Keeps the weights as each epoch starts, and the rate that SWA's scheduler tells of."""

    def __init__(self):
        self.weights, self.rates = [], []

    def on_train_batch_start(self, trainer, *_):
        self.rates += [config.scheduler.get_last_lr()[0] for config in trainer.lr_scheduler_configs]

    def on_train_epoch_start(self, trainer, pl_module):
        self.weights.append([p.detach().clone() for p in pl_module.parameters()])


@pytest.mark.parametrize("name", ["", *only_with_slow("averages first")])
def test_averages_are_of_the_runs_weights_and_its_rate_continues_from_the_schedule(name, tmp_path):
    callback, seen, average = searcher(schedule="rex"), Seen(), swa(3, 2)
    run = fit(tmp_path, NoNorm, [*both(callback, average, name), seen])
    result = callback.result
    assert result.probes.horizon.max() == 14
    at_starts = zip(*seen.weights[2:], strict=True)
    for ours, (third, fourth) in zip(run.module.parameters(), at_starts, strict=True):
        assert torch.allclose(ours, (third + fourth) / 2, rtol=1e-5, atol=1e-7)  # float32
    reached = result.peak * result.schedule.at(14, 28)
    rates = list(curve(tmp_path, "autolr/rate").values())
    assert rates[14:21] == pytest.approx([reached] * 7, rel=1e-12)
    assert seen.rates == rates[14:]
    assert rates[21:] == pytest.approx([(reached + SWA_LR) / 2] * 7, rel=1e-12)


@pytest.mark.parametrize(("averages", "last"), [([3], 14), ([4], 21), ([], 27)])
def test_rounds_that_do_not_fit_before_the_first_average_are_left_out(averages, last, tmp_path):
    checks = (Check(0.2, 0.45, factors=(0.5, 2.0)), *(Check(e, e) for e in (0.65, 0.8, 0.95)))
    callback = searcher(strategy=Annealed(candidates=3, race=0.2, checks=checks, budget=3.0))
    fit(tmp_path, Net, [callback, *map(swa, averages)])
    assert callback.result.probes.horizon.max() == last
    assert callback.result.total_steps == 28  # the epoch that renews batch norm has none


def test_where_none_fits_the_customary_peak_is_kept(tmp_path, caplog):
    callback = searcher()
    with caplog.at_level("INFO"):
        fit(tmp_path, Net, [callback, swa(2)])
    assert "AutoLR: 7 steps are too few to search: the run keeps a peak of 0.00781" in caplog.text
    assert callback.result.peak == LIVE_FIRST
    assert callback.result.probe_steps == 0


class Shrinks(pl.LightningDataModule):
    """Has 7 batches in the first epoch, and 4 in the second."""

    def train_dataloader(self):
        return DataLoader(TRAIN, 16 * (1 + min(self.trainer.current_epoch, 1)))

    def val_dataloader(self):
        return val_loader()


def test_a_search_that_is_overtaken_by_shorter_epochs_is_cut(tmp_path):
    callback, average = searcher(), swa(epochs=1)
    often = {"reload_dataloaders_every_n_epochs": 1}
    run = fit(tmp_path, NoNorm, [callback, average], train=Shrinks(), val=None, **often)
    assert callback.result.probes.empty  # the race would have ended at step 14, not 11
    assert callback.result.peak == LIVE_FIRST
    assert callback.result.probe_steps == 3 * 11
    assert list(curve(tmp_path, "autolr/rate").values())[15:] == [SWA_LR] * 4
    assert run.left["optimizer"]["param_groups"][0]["lr"] == SWA_LR


@pytest.mark.parametrize("name", ["", *only_with_slow("averages first")])
def test_a_run_cut_before_or_after_its_start_continues_as_if_it_had_not_been(name, tmp_path):
    def callbacks():
        return both(searcher(), swa(3, 3), name)

    loader = {"train": DataLoader(TRAIN, 16)}
    kept = ModelCheckpoint(tmp_path / "ckpt", "{epoch}", save_top_k=-1)
    whole = fit(tmp_path, Bare, [*callbacks(), kept], **loader)
    for epoch in (0, 1, 2):
        path = tmp_path / "ckpt" / f"epoch={epoch}.ckpt"
        rest = fit(tmp_path / f"rest{epoch}", Bare, callbacks(), ckpt_path=path, **loader)
        for part in ("weights and buffers", "optimizer"):
            assert differences(whole.left[part], rest.left[part], f"{epoch}") == []


def test_a_checkpoint_of_another_start_is_refused(tmp_path):
    kept = ModelCheckpoint(tmp_path / "ckpt", "{epoch}", save_top_k=-1)
    fit(tmp_path, Bare, [searcher(), swa(3), kept])
    path = tmp_path / "ckpt" / "epoch=0.ckpt"
    with pytest.raises(ConfigError, match="first step of StochasticWeightAveraging was 14, is 21"):
        fit(tmp_path / "rest", Bare, [searcher(), swa(4)], ckpt_path=path)

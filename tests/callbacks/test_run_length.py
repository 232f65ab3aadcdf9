"""The steps that are planned are the steps that are made, whatever an epoch has."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import lightning.pytorch as pl
import pytest
from lightning.pytorch.callbacks import BatchSizeFinder, GradientAccumulationScheduler
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader, Subset

from autolr import schedules
from autolr.callbacks import AutoLR, FollowCandidate, PruneTrial
from autolr.callbacks.own_schedulers import OwnRates
from autolr.online import Annealed
from tests.callbacks.runs import (
    LR,
    TRAIN,
    Bare,
    Net,
    Stream,
    differences,
    fit,
    train_loader,
    val_loader,
)
from tests.cases import only_with_slow, with_slow

pytestmark = pytest.mark.filterwarnings("ignore")

RACE = Annealed(candidates=3, race=0.2, checks=(), budget=3.0)


class Rates(pl.Callback):
    """Notes the rate of each optimizer step."""

    def __init__(self, setter):
        self.setter, self.rates = setter, []

    def on_train_batch_end(self, trainer, *_):
        if trainer.global_step > len(self.rates):
            self.rates.append(self.setter._rates.applied)


class Data(pl.LightningDataModule):
    """Training data of another size in each epoch."""

    batch_size = 16

    def __init__(self, sizes):
        super().__init__()
        self.sizes = sizes

    def train_dataloader(self):
        epoch = self.trainer.current_epoch
        size = self.sizes[min(epoch, len(self.sizes) - 1)]
        return DataLoader(Subset(TRAIN, range(size)), self.batch_size, shuffle=True)

    def val_dataloader(self):
        return val_loader()


GROWS, SHRINKS = (32, 48, 64, 100), (100, 64, 48, 32)


def trained(folder, setter, *, make=Net, callbacks=(), data=None, **settings):
    """Train with the callback that sets the rates; return the steps made and their rates."""
    rates = Rates(setter)
    if data is not None:
        settings |= {"train": Data(data), "val": None, "reload_dataloaders_every_n_epochs": 1}
    run = fit(folder, make, [setter, rates, *callbacks], **settings)
    return run.trainer.global_step, rates.rates


class Accumulates(Net):
    """Accumulates over two batches from its third epoch on, as it sets itself."""

    def on_train_epoch_start(self):
        self.trainer.accumulate_grad_batches = 1 if self.current_epoch < 2 else 2


def accumulating(scheduling):
    return {"callbacks": [GradientAccumulationScheduler(scheduling)]}


LENGTHS = {
    "accumulation over 2": (accumulating({0: 2}), 4 * 4),
    "accumulation over 2 from the third epoch": (accumulating({0: 1, 2: 2}), 2 * 7 + 2 * 4),
    "accumulation over less and less": (accumulating({0: 4, 1: 2, 3: 1}), 2 + 2 * 4 + 7),
    "accumulation by the Trainer": ({"accumulate_grad_batches": 3}, 4 * 3),
    "accumulation by the module": ({"make": Accumulates}, 2 * 7 + 2 * 4),
    "data that grow": ({"data": GROWS}, 2 + 3 + 4 + 7),
    "data that shrink": ({"data": SHRINKS}, 7 + 4 + 3 + 2),
    "data that grow, accumulated": ({"data": GROWS, **accumulating({0: 1, 2: 2})}, 2 + 3 + 2 + 4),
    "data that grow, up to a step": ({"data": GROWS, "max_steps": 11}, 11),
    "some batches": ({"limit_train_batches": 5}, 20),
    "a share of the batches": ({"limit_train_batches": 0.5}, 12),
    "at least so many steps": ({"min_steps": 20, "min_epochs": 2}, 28),
    "no end but a step": ({"max_epochs": -1, "max_steps": 17}, 17),
    "validation in mid-epoch": ({"val_check_interval": 3, **accumulating({0: 2})}, 16),
}


@pytest.mark.slow
@pytest.mark.parametrize(("settings", "steps"), LENGTHS.values(), ids=LENGTHS)
def test_a_candidate_is_annealed_over_the_steps_that_are_made(settings, steps, tmp_path):
    follow = FollowCandidate(LR, schedules.linear())
    made, rates = trained(tmp_path, follow, **settings)
    assert made == len(rates) == steps
    assert follow._length is not None
    assert follow._length.steps == steps
    assert rates[-1] == pytest.approx(LR / steps)
    assert rates[-2] == pytest.approx(2 * LR / steps)


@pytest.mark.parametrize(
    ("settings", "steps"),
    with_slow(
        LENGTHS,
        "accumulation by the module",
        "data that shrink",
        "no end but a step",
    ),
)
def test_a_search_is_annealed_over_the_steps_that_are_made(settings, steps, tmp_path):
    callback = AutoLR(RACE, schedule="linear")
    made, rates = trained(tmp_path, callback, **settings)
    result = callback.result
    assert made == result.total_steps == steps
    assert result.stopped_at is None
    last = result.run_peak * result.schedule.at(steps - 1, steps)
    assert rates[-1] == pytest.approx(last)
    assert rates[-1] > 0


@pytest.mark.slow
@pytest.mark.parametrize(("settings", "steps"), LENGTHS.values(), ids=LENGTHS)
def test_a_trial_is_whole_after_the_steps_that_are_made(settings, steps, tmp_path):
    trial = Reports()
    prune = PruneTrial(trial, (27, 54), horizon=81)
    follow = FollowCandidate(LR, schedules.linear())
    callbacks = [prune, *settings.get("callbacks", ())]
    made, _ = trained(tmp_path, follow, **{**settings, "callbacks": callbacks})
    assert prune.run_steps == made == steps
    assert [name for name, _ in trial.scores] == [27, 54]
    assert prune.final["val_loss"] > 0


def test_a_trial_over_data_that_grow_reaches_its_rungs_after_it_was_cut(tmp_path):
    def run(folder, **settings):
        trial = Reports()
        prune = PruneTrial(trial, (18, 36, 54), horizon=81)
        keep = pl.callbacks.ModelCheckpoint(
            tmp_path, "{step}", every_n_train_steps=1, save_top_k=-1
        )
        settings |= {"train": Data(GROWS), "val": None, "reload_dataloaders_every_n_epochs": 1}
        fit(folder, Bare, [prune, keep], **settings)
        return [name for name, _ in trial.scores]

    assert run(tmp_path / "whole") == [18, 36, 54]
    assert run(tmp_path / "rest", ckpt_path=tmp_path / "step=5.ckpt") == [54]


class Reports:
    """A trial that notes its scores."""

    def __init__(self):
        self.scores = []

    def report(self, value, step):
        self.scores.append((step, value))

    def should_prune(self):
        return False


def test_a_new_length_is_said_once(tmp_path, caplog):
    trained(tmp_path, FollowCandidate(LR, "linear"), data=GROWS)
    said = [line for line in caplog.messages if "FollowCandidate" in line]
    assert said == [
        "FollowCandidate: from epoch 1 on the run has 11 steps, not 8: epochs have other lengths "
        "than before; its schedule is laid out over the new length, whenever that changes"
    ]


def test_nothing_is_said_of_lengths_that_are_known_beforehand(tmp_path, caplog):
    settings, _ = LENGTHS["accumulation over less and less"]
    trained(tmp_path, FollowCandidate(LR, "linear"), **settings)
    assert "other lengths" not in caplog.text


def test_a_search_over_data_that_grow_leaves_the_run_to_its_one_candidate(tmp_path):
    follow = FollowCandidate(LR, schedules.linear())
    only = AutoLR(schedule=schedules.linear(), rates=(LR, LR))
    left = [
        fit(
            tmp_path / type(one).__name__,
            Net,
            [one],
            train=Data(GROWS),
            val=None,
            reload_dataloaders_every_n_epochs=1,
        ).left
        for one in (follow, only)
    ]
    names = ("weights and buffers", "optimizer", "global_step", "data order")
    followed, searched = ({name: one[name] for name in names} for one in left)
    assert differences(followed, searched) == []


@pytest.mark.slow
def test_the_batch_size_may_be_found_as_the_fit_begins(tmp_path, monkeypatch):
    class Sized(Data):
        def __init__(self):
            super().__init__((100,))
            self.batch_size = 2

    monkeypatch.chdir(tmp_path)  # where the finder leaves its checkpoint
    for setter in (FollowCandidate(LR, "linear"), AutoLR(RACE, schedule="linear")):
        finder = BatchSizeFinder(init_val=2, max_trials=2, steps_per_trial=1)
        rates = Rates(setter)
        folder = tmp_path / type(setter).__name__
        callbacks = [finder, setter, rates]
        run = fit(folder, Bare, callbacks, train=Sized(), val=None, max_epochs=2)
        steps = run.trainer.global_step
        assert steps < 100
        assert len(rates.rates) == steps
        assert 0 < rates.rates[-1] < max(rates.rates) / 5


class Warming(Net):
    """Has a scheduler that reaches the optimizer's rate after two epochs."""

    def configure_optimizers(self):
        optimizer = super().configure_optimizers()
        return [optimizer], [LambdaLR(optimizer, lambda epoch: min(1.0, (epoch + 1) / 3))]


def test_the_simulation_of_own_schedulers_knows_how_gradients_are_accumulated(tmp_path):
    found = {}

    class Look(pl.Callback):
        def on_train_start(self, trainer, pl_module):
            found["own"] = OwnRates.of(trainer, pl_module, 2 + 2 + 7 + 7)

    accumulation = GradientAccumulationScheduler({0: 4, 2: 1})
    fit(tmp_path, Warming, [Look(), accumulation], val=None)
    assert found["own"].rise == 4  # two epochs of two steps


def test_a_run_that_is_resumed_for_longer_says_what_its_schedule_does(tmp_path):
    checkpoint = tmp_path / "begun" / "kept" / "last.ckpt"
    trained(tmp_path / "begun", FollowCandidate(LR, "linear"), max_epochs=2)
    rest = FollowCandidate(LR, "linear")
    line = r"had 14 steps, this one 28: .* laid out over 28, so that the rate is 0.00391 and not 0 "
    rates = Rates(rest)
    with pytest.warns(UserWarning, match=line):
        run = fit(tmp_path / "rest", Net, [rest, rates], ckpt_path=checkpoint, max_epochs=4)
    assert run.trainer.global_step == 28
    assert rates.rates[-1] == pytest.approx(LR / 28)


@pytest.mark.parametrize("epoch", [1, *only_with_slow(2)])
def test_a_cut_search_over_data_that_grow_is_resumed_bit_for_bit(epoch, tmp_path):
    def run(folder, callback, **settings):
        keep = pl.callbacks.ModelCheckpoint(tmp_path, "{epoch}", monitor="epoch", save_top_k=-1)
        settings |= {"train": Data(GROWS), "val": None, "reload_dataloaders_every_n_epochs": 1}
        return fit(folder, Bare, [callback, keep], **settings)

    whole, rest = AutoLR(RACE), AutoLR(RACE)
    left = run(tmp_path / "whole", whole).left
    again = run(tmp_path / "rest", rest, ckpt_path=tmp_path / f"epoch={epoch}.ckpt").left
    assert rest.result.total_steps == whole.result.total_steps == 16
    assert rest.result.scores == whole.result.scores
    assert differences(again["weights and buffers"], left["weights and buffers"]) == []


LONG = schedules.warmup(20) | schedules.linear()


@pytest.mark.parametrize(
    "make", [lambda: FollowCandidate(LR, LONG), lambda: AutoLR(RACE, LONG, rates=(LR, LR))]
)
def test_a_schedule_that_no_longer_fits_stays_as_it_was_laid_out(make, tmp_path, recwarn):
    setter = make()
    made, rates = trained(tmp_path, setter, data=SHRINKS)
    assert made == len(rates) == 16
    peak = LR if isinstance(setter, FollowCandidate) else setter.result.run_peak
    assert rates[-1] == pytest.approx(peak * LONG.at(15, 28))
    lines = [str(w.message) for w in recwarn if "stays laid out" in str(w.message)]
    assert lines == [
        f"{type(setter).__name__}: from epoch 1 on epochs have other lengths; the schedule stays "
        "laid out over 28 steps: the number of steps must be at least 20, which the spans take, "
        "got 19.0"
    ]


def test_data_without_a_length_in_mid_run_leave_the_schedule_as_it_was(tmp_path, recwarn):
    class Endless(Data):
        def train_dataloader(self):
            return DataLoader(Stream(TRAIN), 16) if self.trainer.current_epoch else train_loader()

    setter = FollowCandidate(LR, "linear")
    settings = {"train": Endless(()), "val": None, "reload_dataloaders_every_n_epochs": 1}
    run = fit(tmp_path, Net, [setter], **settings)
    assert run.trainer.global_step == 28
    assert any("the training data has no length" in str(w.message) for w in recwarn)

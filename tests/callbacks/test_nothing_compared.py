"""A run whose metric is never finite: it keeps its rate, and soon stops searching."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import json
import math
import warnings

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint

from autolr.callbacks import AutoLR, FollowCandidate
from autolr.errors import DivergedError
from autolr.online import Annealed, Check
from tests.callbacks.runs import LR, Net, curve, differences, fit

# Of 28 steps: a race of three peaks and the own rate to step 14, two rivals from there to 20 and,
# where scores are, to 26.
CHECKS = (Check(0.36, 0.56, (0.5, 2.0), refines=True), Check(0.64, 0.85, (0.5, 2.0)))
STRATEGY = Annealed(candidates=3, race=0.5, checks=CHECKS, budget=4.0)
STEPS = 28


class Undefined(Net):
    """Its score is not finite."""

    value = math.nan
    rate = LR

    def validation_step(self, batch, batch_idx):
        super().validation_step(batch, batch_idx)
        self.log("val_auc", self.score())

    def score(self):
        return self.value

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=self.rate)


class Infinite(Undefined):
    value = math.inf


class MinusInfinite(Undefined):
    value = -math.inf


class Usual(Undefined):
    rate = 1e-3  # torch's own default


class Scheduled(Undefined):
    def configure_optimizers(self):
        optimizer = super().configure_optimizers()
        return [optimizer], [torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)]


class Applied(pl.Callback):
    """Notes the rates at which the live run steps."""

    def __init__(self):
        self.rates = []

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        (search,) = (c for c in trainer.callbacks if isinstance(c, AutoLR))
        if search._rates is not None:
            self.rates.append(search._rates.applied)


def searcher(**settings):
    defaults = {"strategy": STRATEGY, "monitor": "val_auc", "schedule": "constant"}
    return AutoLR(**{**defaults, **settings})


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("make", "mode"),
    [
        (Undefined, "max"),
        pytest.param(Infinite, "max", marks=pytest.mark.slow),
        pytest.param(MinusInfinite, "min", marks=pytest.mark.slow),
    ],
)
def test_the_search_ends_early_and_the_run_keeps_the_users_rate(make, mode, tmp_path):
    callback, applied = searcher(mode=mode, save_to=tmp_path / "found"), Applied()
    with pytest.warns(
        UserWarning, match="AutoLR: nothing could be compared: val_auc was not "
    ) as w:
        fit(tmp_path, make, [applied, callback])
    (line,) = (str(w.message) for w in w if "AutoLR" in str(w.message))
    assert line.endswith(f"the run keeps a peak of {LR:.3g}")
    assert "\n" not in line
    result = callback.result
    assert (result.peak, result.run_peak) == (None, LR)
    assert result.probe_steps == 3 * 14 + 2 * 6  # nothing from step 20 on
    assert set(applied.rates[20:]) == {LR}
    assert json.loads((tmp_path / "found" / "result.json").read_text())["peak"] is None
    assert curve(tmp_path, "autolr/peak") == {}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_where_the_user_has_set_no_rate_that_of_the_optimizer_is_kept(tmp_path):
    class Sgd(Undefined):
        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters())

    for name, make in (("adamw", Usual), ("sgd", Sgd)):  # the customary rate of SGD is 0.1
        callback = searcher()
        fit(tmp_path / name, make, [callback])
        assert (callback.result.peak, callback.result.run_peak) == (None, 1e-3)


@pytest.mark.filterwarnings("ignore")
def test_a_module_with_a_scheduler_keeps_its_own_rates(tmp_path):
    callback, applied = searcher(schedule=None), Applied()
    fit(tmp_path, Scheduled, [applied, callback])
    assert callback.result.factor == pytest.approx(1.0)
    assert applied.rates[20:] == pytest.approx([LR * 0.9**2] + [LR * 0.9**3] * 7)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_such_a_run_is_replayed_and_resumed(tmp_path):
    def make_kept(folder):
        return ModelCheckpoint(
            folder, "{step}", save_top_k=-1, save_on_train_epoch_end=True, monitor=None
        )

    class Plain(Undefined):
        def __init__(self):
            super().__init__()
            self.head[0] = torch.nn.Identity()

    callback = searcher(schedule=None)
    whole = fit(tmp_path / "a", Plain, [callback, make_kept(tmp_path / "ckpt")])
    for step in (14, 21):  # within the search, and behind it
        again = searcher(schedule=None)
        rest = fit(
            tmp_path / f"b{step}", Plain, [again], ckpt_path=tmp_path / "ckpt" / f"step={step}.ckpt"
        )
        assert again.result == callback.result
        for part in ("weights and buffers", "optimizer"):
            assert differences(whole.left[part], rest.left[part], part) == []


@pytest.mark.filterwarnings("ignore")
def test_a_metric_that_is_undefined_at_first_still_finds_a_peak(tmp_path):
    class Late(Undefined):
        def score(self):
            return math.nan if self.trainer.global_step < 16 else self.head[1].weight.norm()

    callback = searcher(mode="min")
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        fit(tmp_path, Late, [callback])
    assert not [w for w in seen if "nothing could be compared" in str(w.message)]
    result = callback.result
    assert result.compared
    assert [scored.horizon for scored in result.scores] == [14] * 4 + [20] * 3 + [26] * 3


@pytest.mark.filterwarnings("ignore")
def test_a_single_candidate_is_the_run_as_it_is_whatever_its_metric(tmp_path):
    fixed = fit(tmp_path / "fixed", Undefined, [FollowCandidate(LR, "cosine")])
    callback = searcher(rates=(LR, LR), schedule="cosine")
    searched = fit(tmp_path / "searched", Undefined, [callback])
    for part in ("weights and buffers", "optimizer", "metrics.csv", "generators", "data order"):
        assert differences(fixed.left[part], searched.left[part], part) == []
    assert callback.result.peak == LR


@pytest.mark.filterwarnings("ignore")
def test_a_run_in_which_every_rate_diverges_still_raises(tmp_path):
    class Broken(Undefined):
        def training_step(self, batch, batch_idx):
            return super().training_step(batch, batch_idx) * math.nan

    with pytest.raises(DivergedError, match="every rate tried diverged"):
        fit(tmp_path, Broken, [searcher()])


@pytest.mark.filterwarnings("ignore")
def test_a_run_that_is_stopped_before_that_is_clear_has_no_peak_either(tmp_path):
    callback = searcher()
    with pytest.warns(UserWarning, match="nothing could be compared: val_auc"):
        fit(tmp_path, Undefined, [callback, Stop(17)])
    assert callback.result.peak is None


class Stop(pl.Callback):
    """Stops the run after a number of steps."""

    def __init__(self, step):
        self.step = step

    def on_train_batch_end(self, trainer, *_):
        trainer.should_stop = trainer.global_step >= self.step

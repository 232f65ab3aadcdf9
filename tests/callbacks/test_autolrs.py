"""AutoLRS in a Trainer: its rate, its price, its record, and what it leaves of a run."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import warnings
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint, WeightAveraging

import autolr
from autolr import schedules
from autolr.callbacks import AutoLR, FollowCandidate
from autolr.candidate import Candidate
from autolr.errors import ConfigError, UnsupportedError
from autolr.online import AutoLRS, Commit, Probe, Train
from tests.callbacks.autolrs_runs import EPOCHS, RATES, searcher
from tests.callbacks.runs import LR, Bare, Net, curve, differences, fit
from tests.cases import only_with_slow
from tests.runtime.scripted import Scripted

ENDS = (7, 21, 49)
COMPARED = ("weights and buffers", "optimizer", "generators", "global_step", "modes")
pytestmark = pytest.mark.filterwarnings("ignore")


class Counting(Net):
    """Counts the steps of its optimizer, whoever makes them."""

    made = 0

    def optimizer_step(self, *args, **kwargs):
        Counting.made += 1
        super().optimizer_step(*args, **kwargs)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run with a checkpoint at each epoch's end."""
    folder = tmp_path_factory.mktemp("whole")
    kept = ModelCheckpoint(folder / "ckpt", "{step}", save_top_k=-1, save_on_train_epoch_end=True)
    callback, Counting.made = searcher(), 0
    run = fit(folder, Counting, [callback, kept], max_epochs=EPOCHS)
    run.result, run.folder, run.made = callback.result, folder, Counting.made
    return run


def test_the_rate_of_every_step_is_what_the_record_of_the_probes_decides(whole):
    result = whole.result
    applied = curve(whole.folder, "autolr/rate")
    expected = result.peak * result.schedule.values(56)
    assert list(applied.values()) == pytest.approx(expected.tolist())
    rate, probes = RATES[0] ** 0.5 * RATES[1] ** 0.5, result.probes
    for start, end in zip((0, *ENDS), (*ENDS, 56), strict=True):
        assert expected[start:end] == pytest.approx([rate] * (end - start))
        stage = probes[(probes.start >= start) & (probes.start < end)]
        run, rivals = stage[stage.kept], stage[~stage.kept]
        above = rivals.score.to_numpy() - run.score.to_numpy()
        assert run.rate.to_numpy() == pytest.approx([rate] * len(run))
        if len(above) and above.min() < 0:
            rate = rivals.rate.iloc[int(above.argmin())]
    assert len(set(expected.round(12))) > 1, "no rate was changed"


def test_no_rate_outside_of_the_given_ones_is_tried(whole):
    low, high = RATES
    assert whole.result.probes.rate.between(low * (1 - 1e-9), high * (1 + 1e-9)).all()
    assert whole.result.highest_rate <= high * (1 + 1e-9)


def test_the_price_is_every_step_of_every_probe(whole):
    result, rivals = whole.result, whole.result.probes.query("not kept")
    assert [len(rivals[rivals.horizon <= end]) for end in ENDS] == [1, 4, 7]  # of 4, 4 and 9 steps
    assert result.probe_steps == (rivals.horizon - rivals.start).sum() == 4 + 3 * 4 + 3 * 9
    assert whole.made == 56 + result.probe_steps
    assert result.price == (56 + 43) / 56
    assert result.validation_passes == 0


def test_the_record_says_that_scores_are_forecasts_of_the_training_loss(whole, tmp_path):
    result = whole.result
    assert result.monitor.name == "training loss"
    assert all(scored.forecast for scored in result.scores)
    assert result.forecast is None
    assert result.probes.score.between(0, 10).all()
    result.save(tmp_path)
    assert autolr.load_result(tmp_path) == result
    assert "training loss" in (tmp_path / "result.html").read_text()
    assert "43 beside it" in str(result)


@pytest.mark.parametrize(
    "step",
    [
        *only_with_slow(7),
        14,
        *only_with_slow(21, 35),
    ],
)
def test_a_cut_run_ends_as_the_uninterrupted_one(whole, tmp_path, step):
    callback = searcher()
    path = whole.folder / "ckpt" / f"step={step}.ckpt"
    rest = fit(tmp_path, Counting, [callback], ckpt_path=path, max_epochs=EPOCHS)
    assert callback.result == whole.result
    for name in COMPARED:
        assert differences(whole.left[name], rest.left[name], name) == []


def test_a_checkpoint_in_the_middle_of_a_probe_holds_its_losses(whole):
    path = whole.folder / "ckpt" / "step=14.ckpt"
    states = torch.load(path, weights_only=True)["callbacks"]
    (ours,) = (state for name, state in states.items() if name.startswith("AutoLR"))
    live, (rival,) = ours["search"]["rivals"]["live"], ours["search"]["rivals"]["rivals"]
    assert len(live["losses"][0]) == len(rival["losses"][0]) == 14 - 11


def test_the_run_is_what_its_rates_make_of_it_and_no_probe_is_in_it(whole, tmp_path):
    follower = FollowCandidate(whole.result.peak, whole.result.schedule)
    followed = fit(tmp_path, Counting, [follower], max_epochs=EPOCHS)
    ours, theirs = (run.module.state_dict().values() for run in (whole, followed))
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)  # rates are equal but rounded


@pytest.mark.slow
def test_an_average_of_weights_continues_where_only_the_rate_changes(tmp_path):
    average = WeightAveraging()
    callback = searcher()
    fit(tmp_path, Bare, [callback, average], max_epochs=EPOCHS)
    assert len(set(callback.result.schedule.values(56))) > 1
    assert int(average._average_model.n_averaged) == 56


def test_one_rate_changes_no_bit(tmp_path):
    callback = AutoLR("autolrs", rates=(LR, LR))
    searched = fit(tmp_path / "searched", callbacks=[callback]).left
    assert differences(searched, fit(tmp_path / "plain").left) == []
    assert (len(callback.result.scores), callback.result.probe_steps) == (1, 0)
    assert (callback.result.peak, callback.result.price) == (LR, 1.0)


def test_probes_that_all_lose_change_no_bit(tmp_path):
    high = LR * 2.0**60  # the middle of the range is the run's own rate; at its ends nothing learns
    callback = AutoLR(AutoLRS(probes=2, first=24), rates=(LR**2 / high, high))
    searched = fit(tmp_path / "searched", callbacks=[callback]).left
    assert 12 < callback.result.probe_steps < 24  # the high one soon dies
    assert callback.result.peak == LR
    assert differences(searched, fit(tmp_path / "plain").left) == []


def test_the_metric_of_validation_is_not_needed(tmp_path):
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*no validation loop.*")
        callback = searcher(monitor="nothing logs this")
        fit(tmp_path, Net, [callback], val=None)
    assert callback.result.monitor.name == "training loss"


@dataclass(frozen=True)
class Rewinding(Scripted):
    """Says that it rewinds, and is asked for a run that cannot be rewound."""

    budget: float = field(default=1.0, compare=False)
    rewinds: bool = field(default=True, compare=False)

    def begin(self, run):
        assert not run.rewindable
        return self


RUN = Candidate(peak=2.0**-6, schedule=schedules.constant())
RIVAL = replace(RUN, peak=2.0**-7)


@pytest.mark.parametrize(
    "accumulated",
    [1, *only_with_slow(2, 3)],
)
def test_the_first_loss_of_a_probe_is_the_loss_of_the_run(tmp_path, accumulated):
    """Both make their first step from the same weights, on the same batches and dropout masks."""
    one_step = Probe((RUN, RIVAL), 2, 3, 0, ahead=0)
    strategy = Rewinding((one_step, Commit(RUN)))
    fit(tmp_path, Net, [AutoLR(strategy)], accumulate_grad_batches=accumulated)
    (observed,) = strategy.seen
    assert observed.scores[0] == pytest.approx(observed.scores[1], rel=1e-6)
    assert 0.3 < observed.scores[0] < 3  # of a batch, not of a share of it


@pytest.mark.parametrize("steps", [3, 4])
def test_a_loss_is_the_mean_over_the_batches_of_a_step(tmp_path, steps):
    watch = Probe((RUN, RIVAL), 0, steps, 0, ahead=50)
    strategy = Rewinding((watch, Commit(RUN)))
    fit(tmp_path, Net, [AutoLR(strategy)], accumulate_grad_batches=3)
    assert all(0 <= score < 3 for score in strategy.seen[0].scores)


def test_a_strategy_that_trains_ahead_is_refused_before_the_first_step(tmp_path):
    strategy, Counting.made = Rewinding((Train(RUN, 5), Commit(RUN))), 0
    with pytest.raises(UnsupportedError, match="Train only in a run that can be rewound") as error:
        fit(tmp_path, Counting, [AutoLR(strategy)])
    assert "\n" not in str(error.value)
    assert Counting.made == 0


def test_a_strategy_that_trains_ahead_later_ends_its_search_and_not_the_run(tmp_path):
    strategy = Rewinding((Probe((RUN, RIVAL), 0, 4, 0, ahead=9), Train(RUN, 5)))
    callback = AutoLR(strategy)
    assert fit(tmp_path, Net, [callback]).trainer.global_step == 28
    assert "Train only in a run that can be rewound" in callback.result.broken_off.reason


class Warmed(Net):
    """With a linear warm-up of its own over 20 steps."""

    def configure_optimizers(self):
        optimizer = super().configure_optimizers()
        warm = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda k: min(1.0, (k + 1) / 20))
        return [optimizer], [{"scheduler": warm, "interval": "step"}]


def test_the_rates_of_a_scheduler_of_the_module_are_multiplied(tmp_path):
    callback = searcher()
    fit(tmp_path, Warmed, [callback], max_epochs=EPOCHS)
    result = callback.result
    own = np.minimum(1.0, (np.arange(56) + 1) / 20)
    applied = list(curve(tmp_path, "autolr/rate").values())
    assert applied == pytest.approx((result.peak * own * result.schedule.values(56)).tolist())
    assert result.own_peak == LR


def test_another_schedule_is_refused_before_the_first_step(tmp_path):
    with pytest.raises(ConfigError, match="AutoLRS searches rates only"):
        fit(tmp_path, Net, [searcher(schedule="linear")])

"""What a Trainer can be set up with: each leaves no trace, and is replayed."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import math

import pytest
import torch

from autolr import schedules
from autolr.callbacks import AutoLR, FollowCandidate
from tests.callbacks.namespace import Callback, EMAWeightAveraging, MixedPrecision, WeightAveraging
from tests.callbacks.runs import LR, RACE, Net, differences, fit, trained
from tests.cases import with_slow

RATES = (2.0**-16, 2.0**-6)
LIVE_FIRST = 2.0**-11


def searcher(**settings):
    return AutoLR(**{"strategy": RACE, "rates": RATES, **settings})


# --- fp16 with a scaler: it skips steps at first, and grows often


def half_precision():
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**22, growth_interval=5)
    return {"plugins": [MixedPrecision("16-mixed", "cpu", scaler=scaler)]}


class Watched(Net):
    """Keeps the scale of each step, and the size of the gradients before they are clipped."""

    def __init__(self):
        super().__init__()
        self.sizes = []
        self.scales = []

    def on_before_optimizer_step(self, optimizer):
        (gradient,) = [p.grad for p in self.head.parameters() if p.ndim == 1]
        self.sizes.append(float(gradient.abs().max()))
        self.scales.append(self.trainer.precision_plugin.scaler.get_scale())


FP16 = {
    "plain": {},
    "clipped by norm": {"gradient_clip_val": 0.3},
    "clipped by value": {"gradient_clip_val": 0.02, "gradient_clip_algorithm": "value"},
    "accumulated": {"accumulate_grad_batches": 3, "max_epochs": 10},
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("settings", with_slow(FP16, "clipped by norm"))
def test_in_fp16_a_search_with_one_candidate_changes_no_bit(settings, tmp_path):
    callback = AutoLR(schedule=schedules.constant(), rates=(LR, LR))
    searched = fit(tmp_path / "searched", Watched, [callback], **half_precision(), **settings)
    assert len(callback.result.scores) == 1
    plain = fit(tmp_path / "plain", Watched, **half_precision(), **settings)
    assert differences(searched.left, plain.left) == []


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("settings", with_slow(FP16, "clipped by norm"))
def test_in_fp16_each_rival_has_its_own_scale_and_is_replayed(settings, tmp_path):
    callback = searcher()
    searched = fit(tmp_path / "searched", Watched, [callback], **half_precision(), **settings)
    result = callback.result
    assert result.peak not in (LIVE_FIRST, RATES[0])
    again = FollowCandidate(result.peak, result.schedule)
    replayed = fit(tmp_path / "replayed", Watched, [again], **half_precision(), **settings)
    assert differences(trained(searched.left), trained(replayed.left)) == []
    kept = [run.left["checkpoint"]["MixedPrecision"] for run in (searched, replayed)]
    assert differences(*kept) == []
    # steps were skipped, the scale has fallen and grown, and no rival was taken for diverged
    assert not all(map(math.isfinite, searched.module.sizes))
    scales = searched.module.scales
    assert min(scales) < scales[0]
    assert scales[-1] > min(scales)
    assert result.probes.score.max() < float("inf")


# --- averages of weights

AVERAGES = {
    "a mean": lambda: WeightAveraging(),
    "moving": lambda: EMAWeightAveraging(decay=0.8),
    "of weights only": lambda: EMAWeightAveraging(use_buffers=False, decay=0.8),
    "late": lambda: EMAWeightAveraging(decay=0.8, update_starting_at_step=16),
    "by epoch": lambda: EMAWeightAveraging(update_every_n_steps=0, update_starting_at_epoch=0),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("average", with_slow(AVERAGES, "moving"))
def test_with_averages_a_search_with_one_candidate_changes_no_bit(average, tmp_path):
    callback = AutoLR(schedule=schedules.constant(), rates=(LR, LR))
    searched = fit(tmp_path / "searched", Net, [callback, average()])
    assert len(callback.result.scores) == 1
    assert differences(searched.left, fit(tmp_path / "plain", Net, [average()]).left) == []


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_averages_that_begin_after_the_search_are_replayed(tmp_path):
    callback = searcher()
    searched = fit(tmp_path / "searched", Net, [callback, AVERAGES["late"]()])
    result = callback.result
    assert result.peak not in (LIVE_FIRST, RATES[0])
    assert result.probes.horizon.max() < 16
    again = FollowCandidate(result.peak, result.schedule)
    replayed = fit(tmp_path / "replayed", Net, [again, AVERAGES["late"]()])
    assert differences(trained(searched.left), trained(replayed.left)) == []


class History(Callback):
    """Keeps the weights after each step."""

    def __init__(self):
        self.weights = []

    def on_train_batch_end(self, trainer, pl_module, *_):
        self.weights.append([p.detach().clone() for p in pl_module.parameters()])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("average_first", [False, True])
def test_averages_begin_anew_from_the_winner(average_first, tmp_path):
    callback, history, average = searcher(), History(), EMAWeightAveraging(decay=0.8)
    both = [average, callback] if average_first else [callback, average]
    run = fit(tmp_path, Net, [*both, history])
    result = callback.result
    assert result.peak not in (LIVE_FIRST, RATES[0])
    since = result.probes.horizon.max() - 1 + average_first  # the winner's first step or second
    expected = history.weights[since]
    for weights in history.weights[since + 1 :]:
        expected = [0.8 * old + 0.2 * new for old, new in zip(expected, weights, strict=True)]
    for ours, theirs in zip(run.module.parameters(), expected, strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-5, atol=1e-6)  # float32, 13 times


@pytest.mark.filterwarnings("ignore")
def test_an_average_that_is_not_updated_again_is_the_winner_as_it_took_the_runs_place(tmp_path):
    callback, history = searcher(), History()
    average = EMAWeightAveraging(update_every_n_steps=100)  # at the first step only
    run = fit(tmp_path, Net, [average, callback, history])
    winner = history.weights[callback.result.probes.horizon.max() - 1]
    assert all(map(torch.equal, run.module.parameters(), winner))

"""A run that ends with the average of its last steps, as a search's has: `AverageLastSteps`."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import copy

import pytest
import torch

from autolr.callbacks import AutoLR, AverageLastSteps, FollowCandidate
from autolr.errors import ConfigError, UnsupportedError
from autolr.online import Annealed, Check
from tests.callbacks.namespace import Callback, ModelCheckpoint, WeightAveraging
from tests.callbacks.replayed import SETUPS
from tests.callbacks.runs import DECIDES, Net, differences, fit, train_loader, trained
from tests.cases import only_with_slow

RATES = (2.0**-9, 2.0**-5)
SEARCH = Annealed(
    candidates=3, checks=(Check(0.55, 0.55),), budget=3.0, thresholds=DECIDES, ends=(0.2, 0.3)
)
AVERAGED = [  # of the set-ups of replays, those that are noisy at the end
    "max_steps within an epoch",
    "part of the training data",
    "its own way to step",
    "accumulated gradients, a partial last window",
    "a teacher",
    "a teacher, accumulated gradients",
    "loss that knows the step, accumulated",
    "attributes set in hooks",
    "a hidden state",
    "batches changed in place",
    "batches left out",
    "hooks that change gradients",
    "bfloat16",
]
PLAIN = [FollowCandidate(2.0**-5, "constant"), AverageLastSteps(9)]


class Certain(Net):
    """Draws no random numbers in training."""

    def __init__(self):
        super().__init__()
        self.head[0] = torch.nn.Identity()


def plain(folder, *more, **settings):
    return fit(folder, callbacks=[*copy.deepcopy(PLAIN), *more], **settings)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("setup", ["plain", *only_with_slow(*AVERAGED)])
def test_it_replays_a_run_that_ended_with_an_average(setup, tmp_path):
    make, settings = SETUPS[setup]
    search = AutoLR(SEARCH, rates=RATES, schedule="constant")
    searched = fit(tmp_path / "searched", make, [search], **settings)
    result = search.result
    assert result.averaged is not None
    assert result.rollbacks == ()
    again = [
        FollowCandidate(result.peak, result.schedule),
        AverageLastSteps(result.averaged.window),
    ]
    replayed = fit(tmp_path / "replayed", make, again, **settings)
    assert differences(trained(searched.left), trained(replayed.left)) == []


@pytest.mark.filterwarnings("ignore")
def test_a_fit_that_is_resumed_within_the_last_steps_ends_as_the_whole_one(tmp_path):
    cuts = ModelCheckpoint(tmp_path, filename="{epoch}", save_top_k=-1)
    certain = {"make": Certain, "train": train_loader(shuffle=False)}
    whole = plain(tmp_path / "whole", cuts, **certain)  # of 28 steps, 9 of which are averaged
    cut = tmp_path / "epoch=2.ckpt"  # at step 21
    resumed = plain(tmp_path / "resumed", ckpt_path=cut, **certain)
    for kept in ("weights and buffers", "optimizer"):
        assert differences(whole.left[kept], resumed.left[kept]) == []


@pytest.mark.filterwarnings("ignore")
def test_a_run_that_ends_early_keeps_its_last_weights_and_says_so(tmp_path):
    class Stop(Callback):
        def on_train_batch_end(self, trainer, *_):
            trainer.should_stop = trainer.global_step >= 25

    cut = {"max_epochs": -1, "max_steps": 28, "min_steps": 1}
    with pytest.warns(UserWarning, match="ended after 25 of 28 steps: it keeps its last weights"):
        averaged = plain(tmp_path / "averaged", Stop(), **cut)
    last = fit(tmp_path / "last", callbacks=[copy.deepcopy(PLAIN[0]), Stop()], **cut)
    weights, expected = averaged.left["weights and buffers"], last.left["weights and buffers"]
    assert differences(weights, expected) == []


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("beside", "said"),
    [
        (AutoLR(), "AutoLR ends its run with an average of the last weights where that is better"),
        (WeightAveraging(), "AverageLastSteps and WeightAveraging both replace the weights"),
    ],
)
def test_who_else_decides_on_the_last_weights_is_refused(beside, said, tmp_path):
    with pytest.raises(UnsupportedError, match=said):
        fit(tmp_path, callbacks=[AverageLastSteps(9), copy.deepcopy(beside)])


@pytest.mark.filterwarnings("ignore")
def test_more_steps_than_the_run_has_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="steps must be at most the run's 28, got 29"):
        fit(tmp_path, callbacks=[AverageLastSteps(29)])


@pytest.mark.parametrize("steps", [0, -3, 1.5, "9", True])
def test_what_is_no_number_of_steps_is_refused(steps):
    with pytest.raises(ConfigError, match="steps must be a whole number"):
        AverageLastSteps(steps)


@pytest.mark.filterwarnings("ignore")
def test_the_average_is_that_of_torch(tmp_path):
    class Averaged(Callback):
        def on_train_batch_end(self, trainer, module, *_):
            if trainer.global_step == 20:
                self.model = torch.optim.swa_utils.AveragedModel(module)
            if trainer.global_step >= 20:
                self.model.update_parameters(module)

    theirs = Averaged()
    run = fit(tmp_path, callbacks=[theirs, *copy.deepcopy(PLAIN)])
    own, expected = run.module.state_dict(), theirs.model.module.state_dict()
    for name, parameter in run.module.named_parameters():
        assert torch.allclose(parameter, expected[name], atol=1e-6), name
    assert own.keys() == expected.keys()

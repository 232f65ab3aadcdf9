"""MergeCheckpoints: a weighted sum of a run's checkpoints is validated, saved and left."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

import autolr
from autolr import AutoLR, FollowCandidate, MergeCheckpoints, schedules
from autolr.errors import ConfigError, UnsupportedError
from tests.callbacks.namespace import (
    Callback,
    EMAWeightAveraging,
    ModelCheckpoint,
    StochasticWeightAveraging,
)
from tests.callbacks.runs import LR, TRAIN, Bare, Net, differences, fit, val_loader
from tests.cases import only_with_slow

pytestmark = pytest.mark.filterwarnings("ignore")


class NoNorm(Bare):
    def __init__(self, lr=LR):
        super().__init__(lr)
        self.body[1] = nn.Identity()


class History(Callback):
    """Keeps the weights after each step, and those that each validation sees."""

    def __init__(self):
        self.steps, self.validated = [], []

    def on_train_batch_end(self, trainer, pl_module, *_):
        self.steps.append(copied(pl_module))

    def on_validation_batch_start(self, trainer, pl_module, *_):
        self.validated.append(copied(pl_module))


def copied(module):
    return {name: value.clone() for name, value in module.state_dict().items()}


def summed(states, weights):
    """Return the sum in float64, slowly."""
    return {
        name: sum(w * state[name].double() for w, state in zip(weights, states, strict=True))
        for name in states[0]
    }


def assert_same(ours, theirs):
    for name, value in ours.items():
        assert torch.allclose(value.double(), theirs[name].double(), rtol=1e-5, atol=1e-7), name


CASES = {
    "linear": ("linear", [0.25] * 4),
    "lawa": ("lawa", [0.25] * 4),
    "1-sqrt": ("1-sqrt", schedules.merge_weights(schedules.cooldown(None, "1-sqrt"), 4)),
    "a schedule": (schedules.cosine(), schedules.merge_weights(schedules.cosine(), 4)),
    "a mapping": ({"kind": "rex"}, schedules.merge_weights(schedules.rex(), 4)),
}


@pytest.mark.parametrize(("weights", "expected"), CASES.values(), ids=CASES)
def test_the_end_is_the_weighted_sum_of_the_last_checkpoints(weights, expected, tmp_path):
    history = History()
    run = fit(tmp_path, NoNorm, [history, MergeCheckpoints(weights, latest=4, every=3)])
    kept = [history.steps[step - 1] for step in (18, 21, 24, 27)]
    assert_same(run.module.state_dict(), summed(kept, expected))


@pytest.mark.parametrize(
    ("weights", "numbers"),
    [
        ({"ema": 0.7}, schedules.ema_weights(9, 0.7)),
        ("polynomial", schedules.polynomial_weights(9)),
        ({"polynomial": 1}, schedules.polynomial_weights(9, 1)),
    ],
)
def test_running_averages_are_of_all_checkpoints(weights, numbers, tmp_path):
    history = History()
    run = fit(tmp_path, NoNorm, [history, MergeCheckpoints(weights, every=3)])
    assert_same(run.module.state_dict(), summed(history.steps[2::3], numbers))


def test_each_validation_sees_the_merge_of_the_epochs_so_far(tmp_path):
    history = History()
    run = fit(tmp_path, NoNorm, [MergeCheckpoints(latest=2), history], max_epochs=3)
    ends = history.steps[6::7]
    seen = history.validated[2::3]  # of the check before the run, and of each epoch, one
    assert_same(seen[-3], ends[0])
    assert_same(seen[-2], summed(ends[:2], [0.5, 0.5]))
    assert_same(run.module.state_dict(), summed(ends[1:], [0.5, 0.5]))
    assert_same(run.left["checkpoint"]["state_dict"], summed(ends[1:], [0.5, 0.5]))


def test_before_the_first_checkpoint_it_is_the_weights_in_training(tmp_path):
    history = History()
    run = fit(tmp_path, Net, [MergeCheckpoints(every=100), history], max_epochs=2)
    assert all(map(torch.equal, history.validated[-1].values(), history.steps[-1].values()))
    assert all(map(torch.equal, copied(run.module).values(), history.steps[-1].values()))


def test_training_never_sees_the_merge(tmp_path):
    with_it, without = History(), History()
    fit(tmp_path / "merged", Net, [with_it, MergeCheckpoints(every=2)])
    fit(tmp_path / "plain", Net, [without])
    assert differences(with_it.steps, without.steps) == []


def test_frozen_weights_keep_every_bit_and_take_no_room(tmp_path):
    class Frozen(NoNorm):
        def __init__(self, lr=LR):
            super().__init__(lr)
            self.body.requires_grad_(False)

    class Kept(Callback):
        def on_train_end(self, *_):
            self.states = merging._merged.kept()

    merging, kept = MergeCheckpoints("1-sqrt", every=3), Kept()
    run = fit(tmp_path, Frozen, [merging, kept])
    torch.manual_seed(0)
    first, *others = (state["body.0.weight"] for state in kept.states)
    assert len(others) == 8
    assert all(other is first for other in others)
    assert torch.equal(run.module.body[0].weight, first)


# --- batch norm


def test_statistics_of_batch_norm_are_those_of_the_merge(tmp_path):
    class Batches(Callback):
        def __init__(self):
            self.inputs = []

        def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
            self.inputs.append(batch[0].clone())

    seen = Batches()
    run = fit(tmp_path, Bare, [seen, MergeCheckpoints(latest=5, every=4)])
    convolved = [run.module.body[0](images) for images in seen.inputs[-8:]]
    means = torch.stack([each.mean((0, 2, 3)) for each in convolved]).mean(0)
    variances = torch.stack([each.var((0, 2, 3)) for each in convolved]).mean(0)
    norm = run.module.body[1]
    assert torch.allclose(norm.running_mean, means, atol=1e-5)
    assert torch.allclose(norm.running_var, variances, rtol=1e-4)


# --- resume


@pytest.mark.parametrize("weights", ["1-sqrt", {"ema": 0.5}], ids=str)
def test_a_resumed_run_is_the_uninterrupted_one_bit_for_bit(weights, tmp_path):
    loader = {"train": DataLoader(TRAIN, 16)}

    def merging():
        return MergeCheckpoints(weights, latest=3, every=4)

    kept = ModelCheckpoint(tmp_path / "ckpt", "{epoch}", save_top_k=-1)
    whole = fit(tmp_path, Bare, [merging(), kept], **loader)
    path = tmp_path / "ckpt" / "epoch=1.ckpt"  # two steps behind a checkpoint of the merge
    rest = fit(tmp_path / "rest", Bare, [merging()], ckpt_path=path, **loader)
    for part in ("weights and buffers", "optimizer"):
        assert differences(whole.left[part], rest.left[part]) == []


def test_a_saved_checkpoint_is_validated_as_the_run_was(tmp_path):
    run = fit(tmp_path, Net, [MergeCheckpoints(latest=3, every=3)], max_epochs=2)
    kept = run.trainer.checkpoint_callback
    (logged,) = run.trainer.validate(
        dataloaders=val_loader(), ckpt_path=kept.best_model_path, verbose=False
    )
    assert logged["val_loss"] == pytest.approx(float(kept.best_model_score), rel=1e-6)


# --- beside the other callbacks


def test_a_known_candidate_is_merged(tmp_path):
    history = History()
    follow = FollowCandidate(0.01, schedules.constant())
    run = fit(tmp_path, NoNorm, [follow, history, MergeCheckpoints(latest=2, every=7)])
    assert_same(run.module.state_dict(), summed(history.steps[20::7], [0.5, 0.5]))


@pytest.mark.parametrize("first", [*only_with_slow(False), True])
def test_a_merge_begins_anew_from_the_winner_of_a_search(first, tmp_path):
    search, history = AutoLR(autolr.Annealed(candidates=3, checks=(), budget=3.0)), History()
    merging = MergeCheckpoints(latest=99, every=1)
    run = fit(tmp_path, NoNorm, [*((merging, search) if first else (search, merging)), history])
    assert search.result.probe_steps > 0
    since = int(search.result.probes.horizon.max()) - 1 + first  # the winner's first step or second
    kept = history.steps[since:]
    assert_same(run.module.state_dict(), summed(kept, [1 / len(kept)] * len(kept)))


def test_numbers_of_numpy_are_whole_ones(tmp_path):
    ends = [
        fit(tmp_path / kind.__name__, NoNorm, [MergeCheckpoints(latest=kind(3), every=kind(4))])
        for kind in (int, np.int64)
    ]
    assert differences(*(end.left["weights and buffers"] for end in ends)) == []


# --- what is refused


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: MergeCheckpoints("linaer"),
            "weights: unknown name 'linaer'; did you mean 'linear'?",
        ),
        (lambda: MergeCheckpoints(None), "weights: a schedule must be a name"),  # type: ignore[arg-type]
        (lambda: MergeCheckpoints(schedules.cooldown(9)), "weights: the number of steps must be"),
        (lambda: MergeCheckpoints(device="gpu"), "device must be a device of torch, such as 'cpu'"),
        (lambda: MergeCheckpoints("ema"), "'ema' needs its decay, as in"),
        (lambda: MergeCheckpoints({"ema": 1.5}), "decay must be a number within"),
        (
            lambda: MergeCheckpoints(schedules.warmup(0.5)),
            "weights: schedule must be at most 1 and never rise",
        ),
        (lambda: MergeCheckpoints(latest=0), "latest must be a whole number of at least 1, got 0"),
        (lambda: MergeCheckpoints(every=0), "every must be a whole number of at least 1, got 0"),
    ],
)
def test_settings_that_cannot_work_are_refused_in_one_line(make, message):
    with pytest.raises(ConfigError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (lambda: EMAWeightAveraging(), "MergeCheckpoints and EMAWeightAveraging both replace"),
        (lambda: StochasticWeightAveraging(0.1), "and StochasticWeightAveraging both replace"),
        (lambda: ModelCheckpoint(save_weights_only=True), "not the merge that is validated"),
        (lambda: autolr.ApplyRule("dog"), "MergeCheckpoints and the rule DoG both replace"),
    ],
)
def test_another_callback_that_replaces_the_weights_is_refused(other, message, tmp_path):
    with pytest.raises(UnsupportedError, match=message):
        fit(tmp_path, Net, [MergeCheckpoints(), other()])


@pytest.mark.parametrize("other", ["polynomial", {"ema": 0.7}, "linear", schedules.rex()], ids=str)
def test_a_run_is_not_resumed_with_other_weights(other, tmp_path):
    kept = ModelCheckpoint(tmp_path / "ckpt", "{epoch}", save_top_k=-1)
    fit(tmp_path, Bare, [MergeCheckpoints("1-sqrt", latest=3, every=4), kept])
    with pytest.raises(ConfigError, match=r"weights must be .*1-sqrt.* as in the run that is res"):
        fit(
            tmp_path / "rest",
            Bare,
            [MergeCheckpoints(other, latest=3, every=4)],
            ckpt_path=tmp_path / "ckpt" / "epoch=1.ckpt",
        )

"""Rules in a Trainer: steps are those of a plain loop, and averages stay out of training."""
# mypy: allow-untyped-calls, allow-untyped-defs

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader

from autolr import rules, schedules
from autolr.callbacks import ApplyRule, AutoLR, FollowCandidate
from autolr.errors import ConfigError, UnsupportedError
from autolr.online import Annealed
from tests.callbacks.namespace import MixedPrecision, ModelCheckpoint, pl
from tests.callbacks.runs import TRAIN, Net, differences, fit, train_loader, trained
from tests.cases import only_with_slow

STEPS = 12


class Flat(pl.LightningModule):
    """Softmax regression; the optimizer is the one that `build` makes."""

    def __init__(self, build):
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(36, 4))
        self.build = build

    def training_step(self, batch, batch_idx):
        return F.cross_entropy(self.body(batch[0]), batch[1])

    def configure_optimizers(self):
        return self.build(self.parameters())


def loader(batch_size):
    return DataLoader(TRAIN, batch_size=batch_size, shuffle=False, drop_last=True)


def in_trainer(build, callbacks, folder, *, batch_size=8, steps=STEPS, **settings):
    module = Flat(build)
    trainer = pl.Trainer(
        accelerator="cpu",
        max_steps=steps,
        callbacks=callbacks,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
        **settings,
    )
    trainer.fit(module, loader(batch_size))
    return [parameter.detach().clone() for parameter in module.parameters()]


def by_hand(build, *, batch_size=8, clip=None):
    module = Flat(build)
    optimizer = module.configure_optimizers()
    made = 0
    while made < STEPS:
        for batch in loader(batch_size):

            def closure(batch=batch):
                optimizer.zero_grad()
                loss = module.training_step(batch, 0)
                loss.backward()
                if clip is not None:
                    nn.utils.clip_grad_norm_(module.parameters(), clip)
                return loss

            optimizer.step(closure)
            made += 1
            if made == STEPS:
                break
    return [parameter.detach().clone() for parameter in module.parameters()]


def sps(parameters):
    return rules.build("sps_max", parameters, peak=0.3)


def sgd(parameters):
    return torch.optim.SGD(parameters, lr=0.7)


def test_a_rule_built_by_the_module_steps_as_in_a_plain_loop(tmp_path):
    assert differences(in_trainer(sps, [], tmp_path), by_hand(sps)) == []


def test_the_optimizer_of_the_module_gives_way_to_the_rules(tmp_path):
    callbacks = [ApplyRule("sps_max"), FollowCandidate(0.3, "constant")]
    got = in_trainer(sgd, callbacks, tmp_path)
    torch.testing.assert_close(got, by_hand(sps), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", ["armijo", "goldstein", "smb"])
def test_a_rule_that_tries_its_steps_makes_those_of_a_plain_loop(tmp_path, name):
    def build(parameters):
        return rules.build(name, parameters, epoch=4)

    assert differences(in_trainer(build, [ApplyRule()], tmp_path), by_hand(build)) == []


def test_clipped_gradients_are_what_a_rule_sees(tmp_path):
    got = in_trainer(sps, [], tmp_path, gradient_clip_val=0.1)
    assert differences(got, by_hand(sps, clip=0.1)) == []
    assert differences(got, by_hand(sps)) != []


def test_accumulated_gradients_have_the_loss_of_all_their_batches(tmp_path):
    got = in_trainer(sps, [ApplyRule()], tmp_path, batch_size=4, accumulate_grad_batches=2)
    torch.testing.assert_close(got, by_hand(sps), rtol=1e-4, atol=1e-6)
    unserved = in_trainer(sps, [], tmp_path, batch_size=4, accumulate_grad_batches=2)
    assert (got[0] - unserved[0]).abs().max() > 1e-3


def test_a_grad_scaler_leaves_the_rule_its_loss(tmp_path):
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    half = MixedPrecision("16-mixed", "cpu", scaler=scaler)
    got = in_trainer(sps, [ApplyRule()], tmp_path, plugins=[half])
    torch.testing.assert_close(got, by_hand(sps), rtol=0.05, atol=5e-3)


def test_without_its_loss_a_rule_says_what_to_add(tmp_path):
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    half = MixedPrecision("16-mixed", "cpu", scaler=scaler)
    with pytest.raises(UnsupportedError, match="add the callback ApplyRule"):
        in_trainer(sps, [], tmp_path, plugins=[half])


# --- averages

DOG: tuple[str, dict[str, Any]] = ("dog", {"alpha": 1e-3})


class Averaged(pl.Callback):
    """Remembers the weights in training, and those that validation sees."""

    def __init__(self):
        self.trained, self.validated = [], []

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.trained.append(pl_module.head[1].weight.detach().clone())

    def on_validation_batch_start(self, trainer, pl_module, batch, batch_idx, dataloader_idx=0):
        self.validated.append(pl_module.head[1].weight.detach().clone())


class NoDropout(Net):
    """Draws nothing."""

    def __init__(self):
        super().__init__()
        self.head[0] = nn.Identity()


def undrawn(folder, **settings):
    """Train without anything that is drawn at random: validation then changes nothing."""
    train = train_loader(shuffle=False)
    return fit(folder, NoDropout, train=train, num_sanity_val_steps=0, **settings)


def polynomial_average(weights):
    """Return the average by its definition, from all the weights."""
    mean = weights[0]
    for count, weight in enumerate(weights[1:], start=2):
        share = 9.0 / (count + 8.0)
        mean = (1 - share) * mean + share * weight
    return mean


def test_validation_and_the_end_see_averages_and_training_does_not(tmp_path):
    seen, unseen = Averaged(), Averaged()
    run = undrawn(tmp_path / "a", callbacks=[ApplyRule(*DOG), seen])
    undrawn(tmp_path / "b", callbacks=[ApplyRule(*DOG), unseen], val=None)
    assert differences(seen.trained, unseen.trained) == []
    expected = polynomial_average(seen.trained)
    torch.testing.assert_close(seen.validated[-1], expected, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(run.module.head[1].weight.data, expected, rtol=1e-4, atol=1e-6)
    assert (expected - seen.trained[-1]).abs().max() > 1e-5


def test_a_checkpoint_holds_the_averages_that_were_scored(tmp_path):
    seen = Averaged()
    fit(tmp_path, callbacks=[ApplyRule(*DOG), seen], num_sanity_val_steps=0)
    checkpoint = torch.load(tmp_path / "kept" / "last.ckpt", weights_only=True)
    saved = checkpoint["state_dict"]["head.1.weight"]
    assert differences(saved, seen.validated[-1]) == []


@pytest.mark.parametrize("settings", [DOG, *only_with_slow(("sps_max",))])
def test_a_resumed_run_continues_from_the_weights_in_training(tmp_path, settings):
    whole = undrawn(tmp_path / "whole", callbacks=[ApplyRule(*settings)])
    undrawn(tmp_path / "cut", callbacks=[ApplyRule(*settings)], max_epochs=2)
    last = tmp_path / "cut" / "kept" / "last.ckpt"
    resumed = undrawn(tmp_path / "resumed", callbacks=[ApplyRule(*settings)], ckpt_path=last)
    names = ("weights and buffers", "optimizer")
    assert differences({n: whole.left[n] for n in names}, {n: resumed.left[n] for n in names}) == []


def test_checkpoints_of_weights_alone_are_refused(tmp_path):
    only = ModelCheckpoint(tmp_path, save_weights_only=True)
    with pytest.raises(UnsupportedError, match="leave save_weights_only out"):
        fit(tmp_path / "a", callbacks=[ApplyRule(*DOG), only])


# --- with a search


def test_a_search_among_one_candidate_leaves_a_rule_alone(tmp_path):
    followed = fit(
        tmp_path / "a",
        callbacks=[ApplyRule("sps_max"), AutoLR(rates=(1.0, 1.0), schedule="constant")],
    )
    plain = fit(tmp_path / "b", callbacks=[ApplyRule("sps_max")])
    assert differences(trained(followed.left), trained(plain.left)) == []


@pytest.mark.parametrize(
    "settings",
    [
        ("sps_max",),
        *only_with_slow(("ldog", {"alpha": 1e-2})),
        *only_with_slow(("smb", {"epoch": 4})),
    ],
)
def test_the_run_that_searched_its_peak_equals_the_run_that_had_it(tmp_path, settings):
    race = Annealed(candidates=3, checks=(), budget=2.0)
    search = AutoLR(race, schedule="constant", rates=(0.25, 4.0))
    actual = fit(tmp_path / "a", callbacks=[ApplyRule(*settings), search])
    assert search.result.probe_steps > 0
    follow = FollowCandidate(search.result.run_peak, schedules.constant())
    replay = fit(tmp_path / "b", callbacks=[ApplyRule(*settings), follow])
    assert differences(trained(actual.left), trained(replay.left)) == []


@pytest.mark.parametrize("decay", [0.3, 0.0])
@pytest.mark.parametrize("name", ["lion", "muon", "dog", "fixed"])
def test_a_setting_of_the_rule_replaces_that_of_the_modules_optimizer(tmp_path, name, decay):
    run = fit(tmp_path, callbacks=[ApplyRule(name, {"weight_decay": decay})], max_steps=1)
    groups = run.trainer.optimizers[0].param_groups
    assert {group["weight_decay"] for group in groups} == {decay}


def test_settings_are_checked_before_anything_runs():
    with pytest.raises(ConfigError, match="dgo"):
        ApplyRule("dgo")
    with pytest.raises(ConfigError, match="dog has no setting 'alfa'; it takes: alpha"):
        ApplyRule("dog", {"alfa": 1})
    with pytest.raises(ConfigError, match="alpha of DoG must be a number above 0, got -1"):
        ApplyRule("dog", {"alpha": -1})

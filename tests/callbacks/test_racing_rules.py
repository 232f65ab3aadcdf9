"""Rules chosen inside a Lightning run: by what they come to, and without a trace of the others."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import pytest
import torch
import torch.nn.functional as F
from lightning.pytorch.callbacks import ModelCheckpoint, StochasticWeightAveraging
from lightning.pytorch.plugins import MixedPrecision

from autolr.callbacks import ApplyRule, AutoLR, FollowCandidate
from autolr.errors import ConfigError, UnsupportedError
from autolr.online import Annealed, Check, Thresholds
from tests.callbacks.runs import LR, VAL, Bare, Net, differences, fit

LOW = {"lr": {"low": 1e-9, "high": 1e-8, "log": True}}  # the own optimizer goes nowhere
SPS = {**LOW, "rule": ["fixed", "sps_max"]}
DOG = {**LOW, "rule": ["fixed", "dog"], "rule.alpha": {"choices": 0.01, "when": {"rule": "dog"}}}
# Of 28 steps: a race up to step 8, and two rivals from 11 to 17.
REFINE = Check(0.4, 0.6, (0.5, 2.0), refines=True)
STRATEGY = Annealed(3, 0.3, (REFINE,), Thresholds(rollbacks=0, chance=0.0), budget=9.0)
COMPARED = ("weights and buffers", "global_step", "data order", "generators")

pytestmark = pytest.mark.filterwarnings("ignore")


def searcher(space, **settings):
    return AutoLR(STRATEGY, candidates=space, **settings)


def replay(result):
    return [
        ApplyRule(result.rule, dict(result.rule_settings)),
        FollowCandidate(result.peak, result.schedule),
    ]


def trained(left):
    """Return what a rule decides; which optimizer carries it out is another matter."""
    return {"state": left["optimizer"]["state"]} | {name: left[name] for name in COMPARED[:3]}


@pytest.mark.slow
@pytest.mark.parametrize("space", [SPS, DOG], ids=["sps_max", "dog"])
@pytest.mark.parametrize("trainer", [{}, {"accumulate_grad_batches": 2}], ids=["", "accumulated"])
def test_a_run_that_another_rule_has_won_is_replayed_bit_for_bit(space, trainer, tmp_path):
    callback = searcher(space)
    searched = fit(tmp_path / "searched", callbacks=[callback], **trainer)
    assert callback.result.rule == space["rule"][1]
    assert callback.result.probe_steps > 0
    replayed = fit(tmp_path / "replayed", callbacks=replay(callback.result), **trainer)
    assert differences(trained(searched.left), trained(replayed.left)) == []


def test_a_space_of_the_own_optimizer_alone_changes_no_bit(tmp_path):
    space = {"lr": LR, "rule": "fixed", "schedule": "constant"}
    searched = fit(tmp_path / "searched", callbacks=[AutoLR(candidates=space)])
    assert differences(searched.left, fit(tmp_path / "plain").left) == []


def test_a_run_too_short_for_a_race_of_other_rules_is_trained_by_the_first(tmp_path):
    callback = AutoLR(candidates={**LOW, "rule": ["sps_max", "dog"]})
    short = fit(tmp_path / "short", callbacks=[callback], max_epochs=1)
    assert (callback.result.rule, callback.result.probe_steps) == ("sps_max", 0)
    replayed = fit(tmp_path / "replayed", callbacks=replay(callback.result), max_epochs=1)
    assert differences(trained(short.left), trained(replayed.left)) == []


def test_rules_that_lose_leave_no_trace_in_the_run(tmp_path):
    ties = Annealed(3, 0.3, (), Thresholds(tie=1e6, share=1e6, rollbacks=0), budget=9.0)
    space = {"lr": LR, "rule": ["fixed", "sps_max", "dog"], "schedule": "constant"}
    callback = AutoLR(ties, candidates=space)
    searched = fit(tmp_path / "searched", callbacks=[callback])
    assert {scored.candidate.rule for scored in callback.result.scores} == set(space["rule"])
    plain = fit(tmp_path / "plain")
    assert differences(trained(searched.left), trained(plain.left)) == []


def test_validation_sees_the_averages_of_the_rule_that_runs(tmp_path):
    callback = searcher(DOG)
    searched = fit(tmp_path / "searched", Bare, [callback], num_sanity_val_steps=0)
    replayed = fit(tmp_path / "replayed", Bare, replay(callback.result), num_sanity_val_steps=0)
    metrics = [run.left["callback_metrics"]["val_loss"] for run in (searched, replayed)]
    assert differences(*metrics) == []
    held = [run.left["checkpoint"]["state_dict"] for run in (searched, replayed)]
    assert differences(*held) == []
    images, labels = VAL[:]
    with torch.no_grad():
        evaluated = F.cross_entropy(searched.module.eval()(images), labels)
    torch.testing.assert_close(metrics[0], evaluated)  # training ends with the averages in place
    averages = [state["average"] for state in searched.left["optimizer"]["state"].values()]
    assert differences([p.detach() for p in searched.module.parameters()], averages) == []


@pytest.mark.slow
@pytest.mark.parametrize("space", [SPS, DOG], ids=["sps_max", "dog"])
def test_a_cut_search_among_rules_continues_where_it_was(space, tmp_path):
    kept = ModelCheckpoint(tmp_path / "ckpt", "{step}", save_top_k=-1, save_on_train_epoch_end=True)
    callback = searcher(space)
    whole = fit(tmp_path / "whole", callbacks=[callback, kept])
    for step in (7, 14, 21):  # in the race, in the check, after the search
        again = searcher(space)
        path = tmp_path / "ckpt" / f"step={step}.ckpt"
        resumed = fit(tmp_path / str(step), callbacks=[again], ckpt_path=path)
        assert again.result == callback.result
        for name in ("weights and buffers", "optimizer", "generators", "global_step"):
            assert differences(whole.left[name], resumed.left[name], name) == []


@pytest.mark.slow
def test_a_grad_scaler_leaves_rivals_their_loss(tmp_path):
    def half():
        scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
        return [MixedPrecision("16-mixed", "cpu", scaler=scaler)]

    callback = searcher(SPS)
    searched = fit(tmp_path / "searched", Bare, [callback], plugins=half())
    assert callback.result.rule == "sps_max"
    replayed = fit(tmp_path / "replayed", Bare, replay(callback.result), plugins=half())
    assert differences(trained(searched.left), trained(replayed.left)) == []


def test_a_native_rule_races_too(tmp_path):
    callback = searcher({**LOW, "rule": ["fixed", "adamw", "schedulefree_sgd"]})
    fit(tmp_path, callbacks=[callback])
    assert callback.result.rule in ("adamw", "schedulefree_sgd")


class Scheduled(Net):
    """With a scheduler of its own."""

    def configure_optimizers(self):
        optimizer = super().configure_optimizers()
        return [optimizer], [torch.optim.lr_scheduler.ConstantLR(optimizer)]


@pytest.mark.parametrize(
    ("space", "callbacks", "trainer", "match"),
    [
        (SPS, lambda _: [ApplyRule("dog")], {}, "leave out ApplyRule"),
        (
            {"rule": ["fixed", "schedulefree_sgd"]},
            lambda _: [],
            {"accumulate_grad_batches": 2},
            "schedulefree_sgd needs the whole batch of a step",
        ),
        (
            SPS,
            lambda _: [StochasticWeightAveraging(swa_lrs=0.01)],
            {},
            "swa_lrs of StochasticWeightAveraging are not meant",
        ),
        (
            DOG,
            lambda folder: [ModelCheckpoint(folder, save_weights_only=True)],
            {},
            "leave save_weights_only out",
        ),
        (
            {"rule": ["fixed", "prodigy"], "rule.d1": {"choices": 1, "when": {"rule": "prodigy"}}},
            lambda _: [],
            {},
            "prodigy has no setting 'd1'",
        ),
    ],
)
def test_what_is_not_supported_is_refused_before_a_step(space, callbacks, trainer, match, tmp_path):
    with pytest.raises((ConfigError, UnsupportedError), match=match) as refused:
        fit(tmp_path, callbacks=[AutoLR(candidates=space), *callbacks(tmp_path)], **trainer)
    assert "\n" not in str(refused.value)


def test_rules_beside_a_scheduler_of_the_modules_own_are_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"AutoLR\(candidates=...\) and the module's ConstantLR"):
        fit(tmp_path, Scheduled, [AutoLR(candidates=SPS)])


@pytest.mark.parametrize(
    ("space", "match"),
    [
        ({"rule": ["fixed", "sps_mx"]}, "sps_mx"),
        ({"rule": ["fixed", "armijo"]}, "armijo evaluates the loss several times"),
        ({"rule": "dog", "rule.alfa": 1.0}, "dog has no setting 'alfa'"),
    ],
)
def test_a_rule_that_cannot_race_is_refused_as_the_callback_is_made(space, match):
    with pytest.raises(ConfigError, match=match):
        AutoLR(candidates=space)

"""Several optimizers, stepped by hand: one factor on all rates."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import pytest
import torch

from autolr.callbacks import ApplyRule, AutoLR, FollowCandidate
from autolr.errors import ConfigError, UnsupportedError
from autolr.online import Annealed
from tests.callbacks.manual import Gan, Manual, Two, circle
from tests.callbacks.namespace import Callback, LearningRateMonitor
from tests.callbacks.runs import LR, RACE, curve, differences, fit, trained
from tests.cases import with_slow

HIGHEST = 16 * LR  # of `Two`
OWN = 2e-3  # of both of a `Gan`


class Bare(Two):
    """As `Two`, without anything that draws or is summed up."""

    def __init__(self, lr=LR):
        super().__init__(lr)
        self.head[0] = torch.nn.Identity()


class Rates(Callback):
    """Remembers the rates of each optimizer at the end of each batch, as they were applied."""

    def __init__(self):
        self.seen = []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.seen.append([float(o.param_groups[0]["lr"]) for o in trainer.optimizers])


def searcher(**settings):
    return AutoLR(**{"strategy": RACE, "monitor": "val_loss", **settings})


def gan_search(**settings):
    return searcher(**{"monitor": "distance", "mode": "min", **settings})


@pytest.mark.parametrize(
    ("every", "toggles"),
    with_slow(
        {
            f"{toggles}, {every}": (every, toggles)
            for toggles in ("within batches", "never", "for good")
            for every in (1, 2)
        },
        "within batches, 2",
        "never, 1",
    ),
)
def test_a_gan_with_one_candidate_trains_bit_for_bit_as_without_a_search(every, toggles, tmp_path):
    def make():
        return Gan(every, toggles)

    alone = fit(tmp_path / "alone", make, **circle())
    callback = gan_search(rates=(OWN, OWN), schedule="constant")
    beside = fit(tmp_path / "beside", make, [callback], **circle())
    assert differences(beside.left, alone.left) == []
    assert beside.module.steps == alone.module.steps


@pytest.mark.parametrize("toggles", with_slow(["within batches", "for good"], "within batches"))
def test_a_searched_gan_ends_as_one_that_was_trained_with_the_chosen_factor_alone(
    toggles, tmp_path
):
    def make():
        return Gan(2, toggles)

    callback = gan_search(rates=(OWN / 2**21, OWN / 2))
    beside = fit(tmp_path / "beside", make, [callback], **circle())
    result = callback.result
    assert result.compared
    assert result.peak != OWN / 2**11  # with which it began: a rival has won
    follow = FollowCandidate(result.run_peak, result.schedule)
    alone = fit(tmp_path / "alone", make, [follow], **circle())
    assert differences(trained(beside.left), trained(alone.left)) == []
    assert beside.module.steps == alone.module.steps  # rivals see the run's own count


def test_all_rates_follow_one_factor_and_keep_their_ratio(tmp_path):
    callback, rates = searcher(), Rates()
    fit(tmp_path, Bare, [callback, LearningRateMonitor(), rates])
    result = callback.result
    assert result.compared
    assert all(body == pytest.approx(16 * head) for body, head in rates.seen)
    assert max(body for body, _ in rates.seen) == pytest.approx(result.peak, rel=0.05)
    assert curve(tmp_path, "lr-SGD") == pytest.approx(
        {step: body for step, (body, _) in enumerate(rates.seen)}
    )
    assert curve(tmp_path, "lr-AdamW") == pytest.approx(
        {step: head for step, (_, head) in enumerate(rates.seen)}
    )
    assert curve(tmp_path, "autolr/rate") == pytest.approx(curve(tmp_path, "lr-SGD"))


def test_the_race_lies_around_the_rates_that_the_user_has_set(tmp_path):
    callback = searcher(strategy=Annealed(candidates=5, checks=(), budget=4.0))
    fit(tmp_path, Bare, [callback])
    peaks = sorted(score.candidate.peak for score in callback.result.scores)
    assert peaks[0] == pytest.approx(HIGHEST / 16)
    assert peaks[len(peaks) // 2] == pytest.approx(HIGHEST)
    assert peaks[-1] == pytest.approx(16 * HIGHEST)


# --- what is refused, before the first training step


class NoStep(Callback):
    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        raise AssertionError("a batch was trained")


def refused(folder, callback, kind, make=Two, **settings):
    with pytest.raises(kind) as caught:
        fit(folder, make, [callback, NoStep()], **settings)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_monitor_has_to_be_given_for_several_optimizers(tmp_path):
    message = refused(tmp_path, AutoLR(RACE), ConfigError)
    assert message.startswith("monitor is not given, and the module has 2 optimizers")
    assert "AutoLR(monitor='val_loss')" in message


def test_training_losses_of_several_optimizers_are_not_compared(tmp_path):
    expected = "the module has 2 optimizers, whose losses may work against each other"
    assert refused(tmp_path / "a", searcher(), ConfigError, val=None).startswith(expected)
    callback = searcher(strategy="autolrs")
    assert refused(tmp_path / "b", callback, ConfigError).startswith(expected)


def test_training_losses_that_no_step_returns_are_not_compared(tmp_path):
    class Silent(Manual):
        def training_step(self, batch, batch_idx):
            super().training_step(batch, batch_idx)

    with pytest.warns(UserWarning, match="the training loss scores"):
        message = refused(tmp_path, AutoLR(RACE), ConfigError, Silent, val=None)
    assert "this training_step returns none" in message


@pytest.mark.parametrize(
    ("make", "why"),
    [(Two, "and this module has 2: without"), (Manual, "and this module optimizes by hand")],
)
def test_a_rule_replaces_one_optimizer_that_the_trainer_steps(make, why, tmp_path):
    callbacks = [
        ApplyRule("momo"),
        searcher(candidates={"rule": ["fixed", "momo"], "schedule": "constant"}),
    ]
    for number, callback in enumerate(callbacks):
        message = refused(tmp_path / str(number), callback, UnsupportedError, make)
        assert why in message


def test_lightning_itself_refuses_several_optimizers_with_automatic_optimization(tmp_path):
    class Automatic(Two):
        def __init__(self):
            super().__init__()
            self.automatic_optimization = True

    with pytest.raises(RuntimeError, match="only supported with manual optimization"):
        fit(tmp_path, Automatic, [searcher()])


def test_a_rival_that_raises_while_parameters_are_toggled_leaves_them_as_they_were(tmp_path):
    class Strict(Gan):
        def on_before_optimizer_step(self, optimizer):
            if next(self.critic.parameters()).abs().max() > 1e3:
                raise ValueError("too large")

    callback = gan_search(rates=(OWN, OWN * 2**24), schedule="constant")
    run = fit(tmp_path, Strict, [callback], **circle())
    (record,) = callback.result.copies
    assert record.reason == "a copy raised ValueError: too large"
    assert callback.result.peak == OWN
    assert all(parameter.requires_grad for parameter in run.module.parameters())
    assert run.module._param_requires_grad_state == {}
    alone = fit(tmp_path / "alone", Strict, **circle())
    assert differences(trained(run.left), trained(alone.left)) == []


# --- what is replayed


class Factored(Bare):
    """Both of its rates are multiplied by a factor."""

    factor = 1.0

    def __init__(self):
        super().__init__(LR * self.factor)


@pytest.mark.slow
def test_the_result_says_by_what_the_rates_of_all_optimizers_are_multiplied(tmp_path):
    callback = searcher(rates=(HIGHEST / 2**21, HIGHEST / 2), schedule="constant")
    beside = fit(tmp_path / "beside", Bare, [callback])
    result = callback.result
    assert result.own_rates == (("SGD", HIGHEST), ("AdamW", LR))
    assert result.factor == result.peak / HIGHEST != 2.0**-11  # with which it began
    assert f"(every rate x{result.factor:.4g})" in str(result)
    assert type(result).from_dict(result.to_dict()) == result

    class Replayed(Factored):
        factor = result.factor

    alone = fit(tmp_path / "alone", Replayed)
    assert differences(trained(beside.left), trained(alone.left)) == []

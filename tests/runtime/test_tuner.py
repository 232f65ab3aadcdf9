"""The search in loops of one's own, which are left as they would be without it."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import gc
import math

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, LambdaLR

import autolr
from autolr.errors import ConfigError
from tests.cases import with_slow
from tests.runtime.loops import (
    OWN,
    STEPS,
    WIDE,
    data,
    left,
    loop,
    loss,
    net,
    same,
    sgd,
    validate,
)

EAGER = autolr.Annealed(budget=2.0)  # what a run as short as this one can pay for no search
STEADY = autolr.Annealed(budget=2.0, rollback="never")  # counts of the model go back with it


def tuned(form, *, norm=True, steps=STEPS, score=validate, **settings):
    """Train by one of the two forms; return what is left, the tuner, losses and gradients."""
    model = net(norm)
    optimizer = sgd(model)
    given = {"strategy": EAGER, "rates": WIDE, **settings}
    tuner = autolr.Tuner(model, optimizer, steps, validate=score, **given)
    losses, norms = [], []
    for batch in loop(steps):

        def train_step():
            optimizer.zero_grad()
            value = loss(model, batch)  # noqa: B023 - as in a loop of one's own
            value.backward()
            optimizer.step()
            return value

        if form == "step":
            losses.append(tuner.step(lambda: loss(model, batch)))  # noqa: B023
        else:
            losses.append(tuner.repeat(train_step))
        norms.append([float(parameter.grad.norm()) for parameter in model.parameters()])
    return left(model, optimizer), tuner, losses, norms


def searched(*, norm=True, steps=STEPS, score=validate, **settings):
    model = net(norm)
    optimizer = sgd(model)
    learner = autolr.TorchLearner(model, optimizer, list(loop(steps)), loss, validate=score)
    result = autolr.search(learner, steps, **{"strategy": EAGER, "rates": WIDE, **settings})
    return left(model, optimizer), result


def replayed(result, *, norm=True, steps=STEPS):
    """Train as the documentation says: LambdaLR, and no autolr."""
    model = net(norm)
    optimizer = sgd(model, lr=result.peak)
    scheduler = LambdaLR(optimizer, result.schedule.timed(result.total_steps))
    losses = []
    for batch in loop(steps):
        optimizer.zero_grad()
        losses.append(loss(model, batch))
        losses[-1].backward()
        optimizer.step()
        scheduler.step()
    return left(model, optimizer), losses


# --- the same as ever


@pytest.mark.parametrize("form", ["step", "repeat"])
@pytest.mark.parametrize("score", [validate, None], ids=["validated", "training loss"])
@pytest.mark.parametrize(
    "norm", with_slow({"batch norm": True, "no batch norm": False}, "batch norm")
)
def test_a_loop_of_ones_own_ends_as_that_of_search(form, score, norm):
    expected, result = searched(norm=norm, score=score)
    actual, tuner, *_ = tuned(form, norm=norm, score=score)
    assert same(actual, expected)
    assert tuner.result == result
    assert result.peak != OWN  # the run began with it
    assert len(result.scores) > 5


@pytest.mark.parametrize("form", ["step", "repeat"])
def test_the_run_ends_as_one_with_the_chosen_rates_from_its_first_step(form):
    actual, tuner, losses, _ = tuned(form, strategy=autolr.Annealed(checks=(), budget=2.0))
    expected, plain = replayed(tuner.result)
    assert same(actual, expected)
    assert losses[-1] == plain[-1]
    assert not losses[-1].requires_grad


def test_the_gradients_of_the_last_step_are_left_to_the_loop():
    *_, expected = tuned("step", score=None)
    *_, actual = tuned("repeat", score=None)  # which makes whole steps to score a state
    assert actual == expected


def test_a_single_candidate_leaves_no_trace():
    for form in ("step", "repeat"):
        actual, tuner, *_ = tuned(form, rates=(OWN, OWN), schedule="constant")
        assert same(actual, replayed(tuner.result)[0])


def test_a_short_run_is_left_alone_with_one_line(caplog):
    caplog.set_level("INFO")
    _, tuner, *_ = tuned("step", steps=10, strategy="annealed", rates=None)
    (line,) = (record.message for record in caplog.records)
    kept = "the run keeps a peak of 0.0156 and no schedule"
    assert line == f"AutoLR: 10 steps are too few to search: {kept}"
    assert (tuner.result.scores, tuner.result.probe_steps, tuner.result.peak) == ((), 0, OWN)


class Net(nn.Module):
    """A model with a ``fit`` of its own, as in Keras."""

    def __init__(self):
        super().__init__()
        self.net = net()
        self.history, self.weight, self.passes = [], 1.0, 0

    def forward(self, inputs):
        return self.net(inputs)

    def fit(self, batches, validation, epochs):
        optimizer = sgd(self)
        steps = epochs * len(batches)
        self.tuner = autolr.Tuner(
            self, optimizer, steps, validate=self.evaluate, strategy=STEADY, rates=WIDE
        )
        self.validation = validation
        for epoch in range(epochs):
            self.weight = 1 + epoch / 8  # of the loss
            for batch in batches:
                self.history.append(float(self.tuner.step(lambda: self.loss(batch))))  # noqa: B023
        return self

    def loss(self, batch):
        self.passes += self.training
        return self.weight * loss(self, batch)

    def evaluate(self, model):
        return [float(model.loss(batch)) for batch in self.validation]


def test_a_fit_of_the_models_own_is_searched():
    model = Net()
    history = model.history
    model.fit(data(6, seed=1), data(4, seed=2), epochs=10)
    assert model.history is history  # of the loop: another state never takes its place
    assert (len(history), model.passes) == (60, 60)
    assert history[-1] < history[0]
    assert len(model.tuner.result.scores) > 5


def test_gradients_are_accumulated_as_in_a_plain_loop():
    def train(result=None):
        model = net()
        optimizer = sgd(model, lr=OWN if result is None else result.peak)
        strategy = autolr.Annealed(checks=(), budget=2.0)
        tuner = autolr.Tuner(model, optimizer, 40, validate=validate, strategy=strategy, rates=WIDE)
        scheduler = result and LambdaLR(optimizer, result.schedule.timed(40))
        for number, batch in enumerate(loop(120)):

            def train_step():
                value = loss(model, batch) / 3  # noqa: B023
                value.backward()
                if number % 3 == 2:  # noqa: B023
                    nn.utils.clip_grad_norm_(model.parameters(), 0.5)
                    optimizer.step()
                    optimizer.zero_grad()
                return value

            if result is None:
                tuner.repeat(train_step)
            else:
                train_step()
                if number % 3 == 2:
                    scheduler.step()
        return left(model, optimizer), tuner

    searched, tuner = train()
    assert tuner.result.peak != OWN
    assert same(searched, train(tuner.result)[0])


@pytest.mark.parametrize("form", ["step", "repeat"])
def test_a_step_that_a_gradient_scaler_skips_counts_and_each_rival_has_a_scale_of_its_own(form):
    model = net()
    optimizer = sgd(model)
    scaler = torch.amp.GradScaler("cpu", init_scale=8.0, growth_interval=1000)
    tuner = autolr.Tuner(
        model, optimizer, 40, validate=validate, scaler=scaler, strategy=EAGER, rates=WIDE
    )
    made = []
    optimizer.register_step_post_hook(lambda *_: made.append(1))
    for number, batch in enumerate(loop(40)):

        def train_step():
            optimizer.zero_grad()
            value = loss(model, batch)  # noqa: B023
            scaled = scaler.scale(value * (1e38 if number == 3 else 1.0))  # noqa: B023
            scaled.backward()
            scaler.step(optimizer)
            scaler.update()
            return value

        if form == "step":
            value = 1e38 if number == 3 else 1.0
            tuner.step(lambda: loss(model, batch) * value)  # noqa: B023
        else:
            tuner.repeat(train_step)
    with pytest.raises(ConfigError, match="total_steps"):  # the one that was skipped is among them
        tuner.step(lambda: loss(model, batch))
    assert scaler.get_scale() == 4.0  # halved once, and not once more for each rival
    assert len(tuner.result.scores) > 5
    assert all(map(torch.isfinite, map(torch.sum, model.parameters())))


# --- rates


def test_the_last_rate_stays_in_the_optimizer_and_nothing_else_does():
    model = net()
    optimizer = sgd(model)
    tuner = autolr.Tuner(model, optimizer, STEPS, validate=validate, strategy=EAGER)
    for batch in loop(STEPS):
        tuner.step(lambda: loss(model, batch))  # noqa: B023
        result = tuner.result
        applied = optimizer.param_groups[0]["lr"]
        assert optimizer.state_dict()["param_groups"][0]["lr"] == applied
    expected = result.run_peak * result.schedule.at(STEPS - 1, STEPS)
    assert applied == pytest.approx(expected, rel=1e-9)
    assert type(optimizer.param_groups[0]["lr"]) is float
    assert not optimizer._optimizer_step_pre_hooks
    assert not optimizer._optimizer_step_post_hooks


def test_a_tuner_that_is_dropped_leaves_the_optimizer_with_the_last_rate():
    model = net()
    optimizer = sgd(model)
    tuner = autolr.Tuner(model, optimizer, STEPS, validate=validate, strategy=EAGER)
    for batch in loop(5):
        tuner.step(lambda: loss(model, batch))  # noqa: B023
    rate = float(optimizer.param_groups[0]["lr"])
    del tuner
    gc.collect()
    assert optimizer.param_groups[0]["lr"] == rate
    assert not optimizer._optimizer_step_pre_hooks


def test_the_optimizers_own_scheduler_keeps_its_shape():
    model = net()
    optimizer = sgd(model)
    scheduler = CosineAnnealingLR(optimizer, STEPS)
    tuner = autolr.Tuner(
        model, optimizer, STEPS, validate=validate, strategy=autolr.Annealed(checks=(), budget=2.0)
    )
    rates = []
    for batch in loop(STEPS):
        tuner.step(lambda: loss(model, batch))  # noqa: B023
        rates.append(float(optimizer.param_groups[0]["lr"]))
        scheduler.step()
    result = tuner.result
    assert result.own_peak == OWN
    assert result.factor > 1
    cosine = [(1 + math.cos(math.pi * step / STEPS)) / 2 for step in range(STEPS)]
    half = STEPS // 2  # the race is over by then
    assert rates[half:] == pytest.approx([result.peak * value for value in cosine[half:]], rel=1e-6)


def test_a_rate_that_the_loop_writes_is_multiplied_with_a_warning(caplog):
    model = net()
    optimizer = sgd(model)
    tuner = autolr.Tuner(model, optimizer, STEPS, validate=validate, strategy=EAGER)
    for step, batch in enumerate(loop(STEPS)):
        for group in optimizer.param_groups:
            group["lr"] = OWN * (1 - step / STEPS)
        tuner.step(lambda: loss(model, batch))  # noqa: B023
    (line,) = (record.message for record in caplog.records if record.levelname == "WARNING")
    assert line.startswith("AutoLR: other code writes the optimizer's rate (0.0156, then 0.0154)")


# --- the result


def test_the_result_grows_with_the_run_and_is_saved_after_it(tmp_path):
    model = net()
    optimizer = sgd(model)
    tuner = autolr.Tuner(
        model, optimizer, STEPS, validate=validate, strategy=EAGER, save_to=tmp_path
    )
    with pytest.raises(AttributeError, match="no result before the first step"):
        _ = tuner.result
    counts = []
    for batch in loop(STEPS):
        tuner.step(lambda: loss(model, batch))  # noqa: B023
        counts.append(len(tuner.result.scores))
    assert counts == sorted(counts)
    assert (counts[0], counts[-1]) == (0, len(tuner.result.scores))
    assert autolr.load_result(tmp_path) == tuner.result


def test_a_step_after_the_last_one_is_refused():
    model = net()
    tuner = autolr.Tuner(model, sgd(model), 3, validate=validate)
    for batch in loop(3):
        tuner.step(lambda: loss(model, batch))  # noqa: B023
    before = [p.clone() for p in model.parameters()]
    with pytest.raises(ConfigError, match="total_steps must be the length of the loop"):
        tuner.step(lambda: loss(model, batch))
    assert same(before, list(model.parameters()))


def test_a_repeated_step_that_differs_ends_the_search_before_it_begins(caplog):
    model = net()
    source = iter(loop(STEPS + 2))
    tuner = autolr.Tuner(model, sgd(model), STEPS, validate=validate, strategy=EAGER)
    for _ in range(STEPS):
        tuner.step(lambda: loss(model, next(source)))  # each call takes another batch
    (line,) = (record.message for record in caplog.records if record.levelname == "WARNING")
    assert line.startswith("AutoLR: a repeated step differs in")
    assert line.endswith("it keeps a peak of 0.0156 and no schedule")
    assert tuner.result.probe_steps == 0


class Remembers(nn.Module):
    """Keeps what it returned last, and nothing at first."""

    def __init__(self):
        super().__init__()
        self.net, self.last = net(), None

    def forward(self, inputs):
        self.last = self.net(inputs)
        return self.last


@pytest.mark.parametrize("looped", [False, True], ids=["Tuner", "search"])
def test_what_a_step_sets_for_the_first_time_is_not_taken_for_the_data(looped):
    model = Remembers()
    optimizer = sgd(model)
    given = {"strategy": EAGER, "rates": WIDE}
    if looped:
        learner = autolr.TorchLearner(model, optimizer, list(loop(STEPS)), loss, validate=validate)
        result = autolr.search(learner, STEPS, **given)
    else:
        tuner = autolr.Tuner(model, optimizer, STEPS, validate=validate, **given)
        for batch in loop(STEPS):
            tuner.step(lambda: loss(model, batch))  # noqa: B023
        result = tuner.result
    assert result.compared
    assert result.probe_steps > 0

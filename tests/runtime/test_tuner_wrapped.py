"""Loops with Fabric and with Accelerate are searched as they are, on the CPU."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from lightning.fabric import Fabric
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

import autolr
from autolr.errors import ConfigError
from tests.runtime.loops import OWN, STEPS, WIDE, left, loop, loss, net, same, sgd, validate

ONCE = autolr.Annealed(checks=(), budget=2.0)
ACCUMULATED = 2


def tuner(model, optimizer, **settings):
    return autolr.Tuner(
        model, optimizer, STEPS, validate=scored, strategy=ONCE, rates=WIDE, **settings
    )


def scored(model):
    return validate(lambda inputs: model(inputs).float())


def with_fabric(precision, form, result=None):
    """Train with Fabric; by a search, or as a result of one says."""
    fabric = Fabric(accelerator="cpu", devices=1, precision=precision)
    model = net()
    optimizer = sgd(model, OWN if result is None else result.peak)
    wrapped, stepper = fabric.setup(model, optimizer)
    scheduler = result and LambdaLR(optimizer, result.schedule.timed(STEPS))
    backward = fabric.backward if form == "step" else None
    search = None if result else tuner(wrapped, stepper, backward=backward)
    for batch in loop(STEPS):

        def train_step():
            stepper.zero_grad()
            value = loss(wrapped, batch)  # noqa: B023
            fabric.backward(value)
            if form == "repeat":
                fabric.clip_gradients(wrapped, stepper, max_norm=0.5)
            stepper.step()
            return value

        if result is not None:
            train_step()
            scheduler.step()
        elif form == "repeat":
            search.repeat(train_step)
        else:
            search.step(lambda: loss(wrapped, batch))  # noqa: B023
    return left(model, optimizer), search


def with_accelerate(precision, form, result=None):
    """Train with Accelerate, which steps after two batches; see `with_fabric`."""
    AcceleratorState._reset_state(reset_partial_state=True)
    accelerator = Accelerator(
        cpu=True, mixed_precision=precision, gradient_accumulation_steps=ACCUMULATED
    )
    model = net()
    optimizer = sgd(model, OWN if result is None else result.peak)
    prepared, stepper = accelerator.prepare(model, optimizer)
    scheduler = result and LambdaLR(optimizer, result.schedule.timed(STEPS))
    backward = accelerator.backward if form == "step" else None
    search = None if result else tuner(prepared, stepper, backward=backward)
    for batch in loop(STEPS * ACCUMULATED):

        def train_step():
            value = loss(prepared, batch)  # noqa: B023
            accelerator.backward(value)
            if form == "repeat" and accelerator.sync_gradients:
                accelerator.clip_grad_norm_(prepared.parameters(), 0.5)
            stepper.step()
            stepper.zero_grad()
            return value

        with accelerator.accumulate(prepared):
            if result is not None:
                train_step()
            elif form == "repeat":
                search.repeat(train_step)
            else:
                search.step(lambda: loss(prepared, batch))  # noqa: B023
        if result is not None and accelerator.sync_gradients:
            scheduler.step()
    return left(model, optimizer), search


CASES = [
    pytest.param(with_fabric, "32-true", marks=pytest.mark.slow),
    (with_fabric, "bf16-mixed"),
    (with_fabric, "bf16-true"),
    pytest.param(with_accelerate, "no", marks=pytest.mark.slow),
    (with_accelerate, "bf16"),
]


@pytest.mark.parametrize("form", ["step", "repeat"])
@pytest.mark.parametrize(("train", "precision"), CASES)
def test_the_run_ends_as_one_with_the_chosen_rates_from_its_first_step(train, precision, form):
    actual, search = train(precision, form)
    result = search.result
    assert result.peak != OWN
    assert (len(result.scores), result.broken_off) == (5, None)
    expected, _ = train(precision, form, result)
    assert same(actual, expected)


def test_what_scales_the_loss_needs_its_own_backward_pass():
    AcceleratorState._reset_state(reset_partial_state=True)
    accelerator = Accelerator(cpu=True, gradient_accumulation_steps=2)
    model = net()
    prepared, stepper = accelerator.prepare(model, sgd(model))
    search = tuner(prepared, stepper)
    with pytest.raises(ConfigError, match=r"backward must be .*, got None"):
        search.step(lambda: loss(prepared, next(iter(loop(1)))))


def test_a_step_with_accelerates_accumulation_inside_is_refused():
    AcceleratorState._reset_state(reset_partial_state=True)
    accelerator = Accelerator(cpu=True, gradient_accumulation_steps=2)
    model = net()
    prepared, stepper = accelerator.prepare(model, sgd(model))
    search = tuner(prepared, stepper)

    def train_step():
        with accelerator.accumulate(prepared):
            value = loss(prepared, next(iter(loop(1))))
            accelerator.backward(value)
            stepper.step()
            stepper.zero_grad()
        return value

    with pytest.raises(ConfigError, match=r"leave counters, and Accelerate's accumulate\(\)"):
        search.repeat(train_step)


@pytest.mark.slow
def test_a_compiled_module_is_searched_by_what_it_compiles():
    model = net()
    optimizer = sgd(model)
    compiled = torch.compile(model, backend="eager")
    search = tuner(compiled, optimizer)
    for batch in loop(STEPS):
        search.step(lambda: loss(compiled, batch))  # noqa: B023
    assert len(search.result.scores) == 5
    assert search.result.peak != OWN
    assert isinstance(model[0], nn.Linear)

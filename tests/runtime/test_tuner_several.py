"""The search in loops of one's own with several optimizers: one factor on all their rates."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import pytest
import torch
from torch.optim.lr_scheduler import LambdaLR

import autolr
from autolr.errors import ConfigError
from tests.runtime.loops import OWN, STEPS, data, loop, loss, net, same, validate

RATIO = 0.25  # of the second optimizer's rate to the first one's


def optimizers(model, factor=1.0):
    """Return SGD for the first layer, and Adam for the rest."""
    first, *rest = model
    others = [parameter for part in rest for parameter in part.parameters()]
    return [
        torch.optim.SGD(first.parameters(), lr=OWN * factor, momentum=0.9),
        torch.optim.Adam(others, lr=OWN * RATIO * factor),
    ]


def by_hand(model, parts, batch):
    for part in parts:
        part.zero_grad()
    value = loss(model, batch)
    value.backward()
    for part in parts:
        part.step()
    return value


def tuned(form, **settings):
    model = net()
    parts = optimizers(model)
    tuner = autolr.Tuner(model, parts, STEPS, **{"validate": validate, **settings})
    for batch in loop(STEPS):
        if form == "step":
            tuner.step(lambda: loss(model, batch))  # noqa: B023
        else:
            tuner.repeat(lambda: by_hand(model, parts, batch))  # noqa: B023
    return weights(model), tuner.result, parts


def weights(model):
    return [*(value.clone() for value in model.state_dict().values()), torch.rand(2)]


@pytest.mark.parametrize("form", ["step", "repeat"])
def test_a_run_that_may_only_keep_its_rates_is_the_plain_one(form):
    model = net()
    parts = optimizers(model)
    for batch in loop(STEPS):
        by_hand(model, parts, batch)
    plain = weights(model)
    found, result, _ = tuned(form, rates=(OWN, OWN), schedule="constant")
    assert same(found, plain)
    assert result.factor == 1.0


@pytest.mark.parametrize("form", ["step", "repeat"])
def test_all_rates_are_multiplied_by_the_factor_that_replays_the_run(form):
    eager = autolr.Annealed(budget=2.0, rollback="never")
    found, result, parts = tuned(form, strategy=eager)
    assert result.factor > 1
    first, second = (part.param_groups[0]["lr"] for part in parts)
    assert second == pytest.approx(first * RATIO, rel=1e-12)

    model = net()
    replayed = optimizers(model, result.factor)
    schedulers = [LambdaLR(part, result.schedule.timed(STEPS)) for part in replayed]
    for batch in loop(STEPS):
        by_hand(model, replayed, batch)
        for scheduler in schedulers:
            scheduler.step()
    assert same(found, weights(model))


def test_a_search_that_is_cut_continues_bit_for_bit():
    eager = autolr.Annealed(budget=2.0)
    whole, result, _ = tuned("repeat", strategy=eager)
    model = net()
    parts = optimizers(model)
    tuner = autolr.Tuner(model, parts, STEPS, validate=validate, strategy=eager)
    batches = list(loop(STEPS))
    for batch in batches[:7]:
        tuner.repeat(lambda: by_hand(model, parts, batch))  # noqa: B023
    stored = [model.state_dict(), [part.state_dict() for part in parts], tuner.state_dict()]

    model = net()
    parts = optimizers(model)
    tuner = autolr.Tuner(model, parts, STEPS, validate=validate, strategy=eager)
    model.load_state_dict(stored[0])
    for part, state in zip(parts, stored[1], strict=True):
        part.load_state_dict(state)
    tuner.load_state_dict(stored[2])
    for batch in batches[7:]:
        tuner.repeat(lambda: by_hand(model, parts, batch))  # noqa: B023
    assert tuner.result.factor == result.factor
    assert same(weights(model), whole)


def test_a_turn_in_which_one_of_them_steps_is_a_step():
    model = net()
    parts = optimizers(model)
    tuner = autolr.Tuner(model, parts, STEPS, validate=validate, rates=(OWN, OWN))
    for index, batch in enumerate(data(STEPS, seed=3)):

        def turn():
            part = parts[index % 2]  # noqa: B023
            model.zero_grad()
            value = loss(model, batch)  # noqa: B023
            value.backward()
            part.step()
            return value

        tuner.repeat(turn)
    assert tuner.result.total_steps == STEPS


def test_what_cannot_be_compared_is_refused():
    model = net()
    with pytest.raises(ConfigError, match="validate is needed with several optimizers"):
        autolr.Tuner(model, optimizers(model), STEPS)
    with pytest.raises(ConfigError, match="list of them, got 'Sequential'"):
        autolr.Tuner(model, [*optimizers(model), model], STEPS, validate=validate)

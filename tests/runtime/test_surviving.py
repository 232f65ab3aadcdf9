"""A plain PyTorch run continues whatever happens to its search."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import logging
import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import autolr
from autolr.online import Annealed, AutoLRS
from autolr.runtime.failures import forget_step

STEPS, RATE = 40, 2.0**-6
RACE = Annealed(candidates=2, checks=(), budget=3.0)
FAR = (RATE, RATE * 2.0**40)  # the run begins with the lower one


class Deaf(torch.optim.SGD):
    """Makes every step with the rate of its constructor."""

    @torch.no_grad()
    def step(self, closure=None):
        with torch.enable_grad():
            loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.sub_(parameter.grad, alpha=RATE)
        return loss


def squared(model, batch):
    return F.mse_loss(model(batch), batch.flip(1))


def raising(error, above=1e6):
    def loss(model, batch):
        value = squared(model, batch)
        if not value < above:
            raise error
        return value

    return loss


def learner(loss=squared, kind=torch.optim.SGD, **settings):
    torch.manual_seed(0)
    model = nn.Linear(3, 3)
    batches = [torch.randn(8, 3) for _ in range(5)]
    settings = {"validate": lambda model: float(squared(model, batches[0])), **settings}
    return autolr.TorchLearner(model, kind(model.parameters(), lr=RATE), batches, loss, **settings)


def searched(run, steps=STEPS, **settings):
    settings = {"strategy": RACE, "schedule": "constant", "rates": FAR, **settings}
    return autolr.search(run, steps, **settings)


def is_plain(run, kind=torch.optim.SGD, loss=squared):
    """Return whether a run has ended as one without a search at its first rate."""
    plain = learner(kind=kind, loss=loss)
    for _ in range(STEPS):
        plain.next_batch()
        plain.train()
    ours, theirs = run.model.parameters(), plain.model.parameters()
    return all(map(torch.equal, ours, theirs))


def test_a_loss_that_raises_ends_its_rival_alone():
    run = learner(raising(ValueError("no\n finite loss")))
    result = searched(run)
    (record,) = result.copies
    assert (record.reason, record.ended) == ("a copy raised ValueError: no finite loss", FAR[1:])
    assert result.peak == RATE
    assert is_plain(run)


@pytest.mark.parametrize("error", [MemoryError(), torch.OutOfMemoryError("CUDA out of memory")])
def test_a_rival_without_memory_ends_and_is_freed(error):
    run = learner(raising(error))
    result = searched(run)
    (record,) = result.copies
    assert record.reason.startswith("no memory for a copy")
    assert not result.broken_off
    assert is_plain(run)


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_in_a_rival_ends_the_run(error):
    with pytest.raises(error):
        searched(learner(raising(error())))


@pytest.mark.parametrize("step", [0, 20])
def test_a_score_that_raises_ends_the_search_and_not_the_run(step, caplog):
    untrained = [] if step == 0 else [1.0]

    def validate(model):
        if untrained:
            return untrained.pop()
        raise OSError("the labels are gone")

    run = learner(validate=validate)
    result = searched(run)
    assert (result.peak, result.kept_peak) == (None, RATE)
    assert is_plain(run)
    (line,) = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert line == (
        f"AutoLR: step {step}: the search ends: OSError: the labels are gone; the run keeps a peak "
        "of 0.0156"
    )
    assert f"none: the search ended at step {step}; the run kept 0.01562" in str(result)


def test_an_optimizer_that_ignores_its_rate_keeps_it_with_one_line(caplog):
    run = learner(kind=Deaf)
    result = searched(run, rates=(RATE / 16, RATE * 16))
    assert (result.peak, result.kept_peak) == (None, RATE)
    assert is_plain(run, kind=Deaf)
    (line,) = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert "Deaf has made the same steps at rates of up to 0.000977 and 0.25: they do not" in line


def test_runs_that_nothing_moves_say_nothing_of_the_optimizer():
    result = searched(learner(lambda model, batch: 0 * squared(model, batch)))
    assert result.broken_off is None


def test_a_rate_of_a_scan_at_which_the_loss_raises_is_its_edge():
    class Uncommon(torch.optim.SGD):
        """Without a customary peak."""

    run = learner(raising(ValueError("no"), above=1e3), kind=Uncommon)
    result = searched(run, 300, rates=None, schedule=None)
    assert result.scan is not None
    assert result.scan.edge is not None


def test_a_rate_of_a_rewound_probe_at_which_the_loss_raises_loses():
    run = learner(raising(ValueError("no"), above=1e3))
    result = searched(run, strategy=AutoLRS(), rates=(2.0**-10, 2.0**6), schedule=None)
    assert result.peak < 1


def test_a_folder_that_cannot_be_written_after_the_run_does_not_lose_it(tmp_path, caplog):
    def validate(model):
        (tmp_path / "found").touch()
        return float(model.weight.norm())

    run = learner(validate=validate)
    assert searched(run, save_to=tmp_path / "found").scores
    (line,) = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert line.startswith("AutoLR: the result is not saved: ")


def test_a_scaler_forgets_a_step_that_raised_after_its_gradients_were_unscaled():
    weight = nn.Parameter(torch.ones(1))
    optimizer = torch.optim.SGD([weight], lr=0.1)
    scaler = torch.amp.GradScaler("cpu")
    for _ in range(2):
        scaler.scale(weight.sum()).backward()
        scaler.unscale_(optimizer)  # a second time raises
        forget_step([scaler])
    assert math.isfinite(float(weight.grad))

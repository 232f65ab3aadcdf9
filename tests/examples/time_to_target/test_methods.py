"""The methods: what each does to a short run of a real task, and the reading of a sweep."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import math

import numpy as np
import pytest
import torch

from examples.time_to_target.lightning_runs import steepest
from examples.time_to_target.methods import METHODS
from examples.time_to_target.outcome import Ledger
from examples.time_to_target.workloads import make

SCALE = 0.02
STEPS = 120

NAMES = [
    *(
        "oracle_setting",
        "default",
        "adamw",
        "sgd",
        "lr_find",
        "lr_find_log",
        "schedulefree",
        "prodigy",
        "dog",
        "dadaptation",
    ),
    *("tpe_hyperband_3", "tpe_hyperband_5", "tpe_hyperband_10", "gp_5", "gp_10"),
    *("autolrs", "autolrs_trainer", "autolr"),
    *("autolr_tune_3", "autolr_tune_5", "autolr_tune_10"),
]

EXTRAS = {
    "schedulefree": "schedulefree",
    "prodigy": "prodigyopt",
    "dog": "dog",
    "dadaptation": "dadaptation",
}


def test_the_rows_of_the_table_have_their_names_and_their_order():
    assert list(METHODS) == NAMES


@pytest.mark.parametrize("method", ["adamw", "sgd", *EXTRAS])
def test_a_plain_method_trains_one_run(method):
    if method in EXTRAS:
        pytest.importorskip(EXTRAS[method])
    outcome = METHODS[method]("logreg_digits", 0, SCALE)
    initial = make("logreg_digits", 0, SCALE)
    assert outcome.final < initial.validate(initial.model)
    assert outcome.total_steps == outcome.trained_steps == STEPS
    assert outcome.validation_passes == 1
    assert 0 < outcome.busy_seconds <= outcome.seconds
    assert not outcome.diverged


def test_a_method_is_deterministic():
    first, second = (METHODS["sgd"]("logreg_digits", 1, SCALE) for _ in range(2))
    assert first.final == second.final


@pytest.mark.parametrize("method", ["lr_find", "lr_find_log"])
def test_the_steps_of_a_sweep_are_counted(method):
    outcome = METHODS[method]("logreg_digits", 0, SCALE)
    assert outcome.total_steps == STEPS + 100
    assert outcome.trained_steps == STEPS
    assert 1e-8 <= outcome.peak <= 1


def test_the_steps_and_passes_of_our_probes_are_counted():
    outcome = METHODS["autolr"]("logreg_digits", 0, SCALE)
    assert STEPS < outcome.total_steps <= 1.25 * STEPS
    assert outcome.validation_passes > 1


@pytest.mark.slow
def test_autolrs_costs_two_runs():
    outcome = METHODS["autolrs"]("logreg_digits", 0, SCALE)
    assert outcome.trained_steps == STEPS
    assert outcome.total_steps == pytest.approx(2 * STEPS, rel=0.1)  # probes have whole steps


@pytest.mark.slow
def test_autolrs_in_a_trainer_costs_the_probes_of_all_stages_but_the_last():
    outcome = METHODS["autolrs_trainer"]("logreg_digits", 0, SCALE)
    assert outcome.trained_steps == STEPS
    assert outcome.total_steps == pytest.approx(1.875 * STEPS, rel=0.1)  # probes have whole steps
    assert outcome.validation_passes == 1


def test_the_log_gradient_finds_the_fall_that_a_linear_axis_misses():
    """A sigmoid in the log of the rate falls fastest at its middle."""
    rates = np.geomspace(1e-8, 1, 100)
    losses = 2 - 1 / (1 + np.exp(-3 * np.log10(rates / 1e-3)))
    assert steepest(list(rates), list(losses)) == pytest.approx(1e-3, rel=0.3)


def test_a_sweep_is_read_without_its_ends_and_without_what_is_not_finite():
    rates = list(np.geomspace(1e-8, 1, 40))
    losses = [10.0 - index for index in range(10)] + [1.0] * 15 + [0.5] + [math.nan] * 14
    result = steepest(rates, losses)
    assert result is not None
    assert rates[18] < result <= rates[25]  # where the only fall left begins, within the smoothing
    assert steepest(rates[:12], losses[:12]) is None


def test_a_ledger_counts_the_steps_of_every_optimizer_and_watched_validation():
    task, ledger = make("logreg_digits", 0, SCALE), Ledger()
    optimizers = [torch.optim.SGD(task.model.parameters(), lr=0.1) for _ in range(2)]
    with ledger.counting():
        for optimizer in optimizers:
            optimizer.step()
        ledger.watched(task).validate(task.model)
        task.validate(task.model)
    optimizers[0].step()
    assert (ledger.steps, ledger.validation_passes) == (2, 1)

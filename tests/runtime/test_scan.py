"""A scan of a run that has not begun: it finds the edge, and leaves no trace in the run."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import logging
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import autolr
from autolr.online import Annealed, SearchSettings
from autolr.runtime.rates import Rates
from autolr.runtime.scan import prior_peak
from tests.cases import only_with_slow

STEPS = 300
RACE = Annealed(checks=())


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    torch.set_num_threads(1)


class Uncommon(torch.optim.SGD):
    """Not among the optimizers with a customary peak; counts its steps, those of copies too."""

    def __init__(self, *args, **settings):
        super().__init__(*args, **settings)
        MADE[id(self)] = 0

    @property
    def made(self):
        return MADE[id(self)]

    def step(self, closure=None):
        MADE[id(self)] += 1
        return super().step(closure)


MADE: dict[int, int] = {}


def noisy_net():
    """Return a learner with all that a step can change: dropout, batch norm, momentum, data."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 3)
    )
    optimizer = Uncommon(model.parameters(), lr=0.01, momentum=0.9)
    inputs = torch.randn(96, 4)
    labels = inputs.argmax(1) % 3
    batches = DataLoader(TensorDataset(inputs, labels), 16, shuffle=True)

    def loss(model, batch):
        return F.cross_entropy(model(batch[0]), batch[1])

    def validate(model):
        return float(loss(model, (inputs, labels)))

    return autolr.TorchLearner(model, optimizer, batches, loss, validate=validate)


def everything(learner):
    optimizer, model = learner.optimizer, learner.model
    momenta = [optimizer.state[p]["momentum_buffer"] for p in model.parameters()]
    return [*model.state_dict().values(), *momenta, torch.get_rng_state()]


def test_a_run_after_a_scan_is_one_with_the_rates_around_the_scans_centre():
    scanned = noisy_net()
    actual = autolr.search(scanned, STEPS, strategy=replace(RACE, budget=1.0))
    centre = actual.scan.centre
    given = noisy_net()
    rates = (centre / 16, centre * 16)
    expected = autolr.search(given, STEPS, strategy=replace(RACE, budget=1.0), rates=rates)
    assert expected.scan is None
    assert [s.score for s in actual.scores] == pytest.approx([s.score for s in expected.scores])
    assert actual.peak == expected.peak
    assert actual.probe_steps == expected.probe_steps + actual.scan.steps
    assert scanned.optimizer.made == STEPS + actual.probe_steps
    for ours, theirs in zip(everything(scanned), everything(given), strict=True):
        assert torch.equal(ours, theirs)


def test_a_scan_alone_changes_no_bit_of_the_run():
    learner = noisy_net()
    learner.next_batch()
    before = [tensor.clone() for tensor in learner.model.state_dict().values()]
    generators, batch = torch.get_rng_state(), learner._batch
    peak, scan = prior_peak(learner, Rates.of(learner.optimizer), SearchSettings(), STEPS)
    assert (peak, scan.rate) == (scan.centre, None)
    assert learner.optimizer.made == scan.steps
    assert all(map(torch.equal, before, learner.model.state_dict().values()))
    assert torch.equal(generators, torch.get_rng_state())
    assert not learner.optimizer.state
    assert all(p.grad is None for p in learner.model.parameters())
    assert learner._batch is batch
    assert learner.optimizer.param_groups[0]["lr"] == 0.01


def regression(optimizer, curvatures=(1.0, 30.0), lr=0.01, **settings):
    """Return a learner whose loss is a quadratic with known curvatures, from 1 to 0."""
    model = nn.Linear(len(curvatures), 1, bias=False)
    nn.init.constant_(model.weight, 1.0)
    scale = torch.tensor(curvatures)

    def loss(model, _=None):
        return (scale * model.weight.square()).sum() / 2

    made = optimizer(model.parameters(), lr=lr, **settings)
    return autolr.TorchLearner(model, made, [0], loss, validate=lambda m: float(loss(m).detach()))


@pytest.mark.parametrize("own", [1e-5, *only_with_slow(1e-2), 1.0, 1e2])
@pytest.mark.parametrize("largest", [3e-2, *only_with_slow(1.0, 40.0), 3e3])
def test_whatever_the_own_rate_a_quadratic_is_solved_from_a_peak_near_its_known_edge(own, largest):
    learner = regression(Uncommon, (largest / 30, largest), lr=own)
    result = autolr.search(learner, STEPS)
    edge = 2 / largest
    assert edge < result.scan.edge < 15 * edge
    assert edge / 30 < result.peak < 2 * edge
    assert learner.validate().value < 1e-5 * largest
    assert result.probe_steps <= 0.25 * STEPS
    first = result.probes.iloc[0]
    assert (first.peak, first.horizon, first.kept) == (result.scan.edge, 0, False)


def test_what_a_scheduler_holds_at_zero_cannot_be_scanned_and_keeps_its_own_peak():
    learner = regression(Uncommon)
    learner.optimizer.param_groups[0]["lr"] = 0.0
    learner.next_batch()
    rates = Rates(learner.optimizer, base=0.5)
    assert prior_peak(learner, rates, SearchSettings(), STEPS) == (0.5, None)


def test_an_optimizer_that_no_rate_makes_diverge_keeps_its_own(caplog):
    caplog.set_level(logging.INFO, logger="autolr")
    learner = regression(torch.optim.Rprop)  # it reads its rate in the first step only
    result = autolr.search(learner, STEPS, strategy=RACE)
    assert (result.scan.edge, result.scan.steps) == (None, result.scan.most)
    race = [scored.candidate.peak for scored in result.scores]
    assert race == pytest.approx([0.01 * 4.0**n for n in range(-2, 3)])
    assert caplog.messages[0].startswith("AutoLR: no rate up to 1e+03 diverges")


@pytest.mark.parametrize(
    ("optimizer", "settings"),
    [(torch.optim.SGD, {}), (Uncommon, {"rates": (1e-3, 1e-1)})],
    ids=["a customary peak", "given rates"],
)
def test_with_a_customary_peak_or_given_rates_nothing_is_scanned(optimizer, settings, caplog):
    caplog.set_level(logging.INFO, logger="autolr")
    result = autolr.search(regression(optimizer), STEPS, **settings)
    assert result.scan is None
    assert not any("diverge" in line for line in caplog.messages)


def test_a_run_too_short_for_a_scan_is_around_its_own_rate():
    result = autolr.search(regression(Uncommon), 100, strategy=RACE)
    assert result.scan is None
    assert result.scores[2].candidate.peak == pytest.approx(0.01)


def test_the_scan_of_a_saved_result_is_read_again(tmp_path):
    result = autolr.search(regression(Uncommon), STEPS, save_to=tmp_path)
    assert autolr.load_result(tmp_path) == result


# --- a winner at the edge of the peak_range


def test_a_best_peak_far_beyond_the_range_is_followed_there():
    slow = (2.0**-9, 2.0**-11)  # SGD's peak_range ends at 1.6, a hundredth of the best rate
    followed, limited = (regression(torch.optim.SGD, slow, lr=0.1) for _ in range(2))
    result = autolr.search(followed, 1000)
    assert result.peak > 8 * 1.6
    assert result.probe_steps <= 250
    assert autolr.search(limited, 1000, rates=(0.1 / 16, 1.6)).peak == 1.6
    assert followed.validate().value < 1e-3 * limited.validate().value


def test_rates_that_are_given_are_never_exceeded():
    learner, applied = regression(torch.optim.SGD, (1.0, 1.0)), []
    learner.optimizer.register_step_pre_hook(lambda o, *_: applied.append(o.param_groups[0]["lr"]))
    result = autolr.search(learner, STEPS, rates=(1e-3, 1e-1))
    assert result.peak == 1e-1
    assert max(applied) <= 1e-1

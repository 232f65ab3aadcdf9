"""What trains may change in the middle of a run."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import pytest
import torch

from autolr.callbacks import AutoLR
from autolr.online import Annealed
from tests.callbacks.changing import KINDS, fit
from tests.callbacks.runs import differences

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(params=KINDS)
def kind(request):
    make, callback = KINDS[request.param]
    return make, lambda: [] if callback is None else [callback()]


def left(module, trainer):
    (optimizer,) = trainer.optimizers
    parameters = list(module.parameters())
    return {
        "weights": module.state_dict(),
        "optimizer": [optimizer.state.get(parameter) for parameter in parameters],
        "rates": [group["lr"] for group in optimizer.param_groups],
        "trained": [parameter.requires_grad for parameter in parameters],
    }


def test_with_one_candidate_the_run_is_bit_for_bit_that_without(kind):
    make, callbacks = kind
    plain = left(*fit(make, callbacks()))
    ours = AutoLR(rates=(2.0**-6, 2.0**-6), schedule="constant")
    assert differences(plain, left(*fit(make, [ours, *callbacks()]))) == []


@pytest.mark.parametrize("race", [0.15, 0.35], ids=["behind the race", "in the race"])
def test_a_search_runs_to_its_end(kind, race):
    make, callbacks = kind
    ours = AutoLR(Annealed(race=race, budget=1.0 + race))
    module, trainer = fit(make, [ours, *callbacks()])
    assert trainer.global_step == 80
    assert ours.result.compared
    assert all(torch.isfinite(p).all() for p in module.parameters())

from typing import Any

import numpy as np
import pytest
import torch

from autolr import rules
from autolr.rules import Statistics
from autolr.rules.base import Blend
from autolr.rules.model_building import ModelBuilding
from tests.rules.problems import ones, quadratic, step

_FIRST = Statistics(step=0, rate=1.0, loss=1.0, products={"g.w": 1.0})


def _bent(s: Any, y: Any, g: Any, eta: float = 0.99) -> Blend:
    """Return the answer of the rule to a trial that disappoints, for one tensor."""
    trials = ModelBuilding(eta=eta).trials(_FIRST, {})
    next(trials)
    letters = {"s": s, "y": y, "g": g}
    pairs = trials.send(2.0)
    assert isinstance(pairs, tuple)
    with pytest.raises(StopIteration) as end:
        trials.send({pair: np.array([letters[pair[0]] @ letters[pair[2]]]) for pair in pairs})
    result = end.value.value[0]
    assert isinstance(result, Blend)
    return result


@pytest.mark.parametrize("seed", range(20))
def test_a_bent_move_is_a_descent_no_longer_than_eta_times_the_plain_one(seed: int) -> None:
    draw = np.random.default_rng(seed)
    g, y = draw.normal(size=6), draw.normal(size=6) * 10.0 ** draw.integers(-2, 3)
    s = -0.7 * g
    blend = _bent(s, y, g, eta=0.8)
    move = blend.s * s + blend.g * g + blend.y * y
    assert move @ g < 0
    assert np.linalg.norm(move) <= 0.8 * np.linalg.norm(s) * (1 + 1e-12)


def test_a_trial_that_lowers_the_loss_enough_is_taken() -> None:
    weights = ones(3)
    optimizer = rules.build("smb", weights, peak=0.5)
    step(optimizer, quadratic(weights, torch.ones(3, dtype=torch.float64)))
    assert weights[0].tolist() == [0.5] * 3


def test_each_tensor_is_bent_by_its_own_model() -> None:
    """Tensors that the loss does not couple move as they would alone."""
    together, alone = ones(2, 3), ones(2)
    curved = torch.tensor([4.0, 7.0, 5.0, 6.0, 9.0], dtype=torch.float64)
    step(rules.build("smb", together), quadratic(together, curved))
    step(rules.build("smb", alone), quadratic(alone, curved[:2]))
    torch.testing.assert_close(together[0], alone[0], rtol=1e-12, atol=0)


def test_a_tensor_without_slope_stays() -> None:
    weights = ones(2, 2)
    optimizer = rules.build("smb", weights)
    step(optimizer, lambda: 10 * weights[0].square().sum() + 0 * weights[1].sum())
    assert weights[1].tolist() == [1.0, 1.0]
    assert weights[0].isfinite().all()
    assert (weights[0] < 1).all()


@pytest.mark.parametrize("peak", [0.1, 1.0, 3.0])
def test_it_converges_where_plain_steps_would_diverge(peak: float) -> None:
    weights = ones(2, 3)  # plain steps stand 2 / 3
    curved = torch.tensor([1.0, 2.0, 1.5, 3.0, 2.0], dtype=torch.float64)
    optimizer = rules.build("smb", weights, peak, epoch=5)
    losses = [step(optimizer, quadratic(weights, curved)) for _ in range(300)]
    assert losses[-1] < 1e-15 * losses[0]


def test_the_rate_falls_where_many_steps_are_bent_and_rises_where_none_is() -> None:
    for curvature, factor in ((4.0, 0.9), (0.1, 1 / 0.9)):
        weights = ones(2)
        optimizer = rules.build("smb", weights, peak=1.0, epoch=4)
        loss = quadratic(weights, torch.full((2,), curvature, dtype=torch.float64))
        for _ in range(4):
            step(optimizer, loss)
        assert optimizer.param_groups[0]["memory"]["factor"] == pytest.approx(factor)


def test_while_the_loss_of_trials_is_not_finite_the_weights_stay_and_the_rate_falls() -> None:
    weight = torch.nn.Parameter(torch.tensor([2.0], dtype=torch.float64))  # of slope 1.5
    optimizer = rules.build("smb", [weight], peak=8.0)
    for count in range(1, 19):  # 8 x 0.9^18 = 1.2: the first trial above 0
        step(optimizer, lambda: (2 * weight - torch.log(weight)).sum())
        assert weight.item() == 2.0
        assert optimizer.param_groups[0]["memory"]["factor"] == pytest.approx(0.9**count)
    step(optimizer, lambda: (2 * weight - torch.log(weight)).sum())
    assert 0 < weight.item() < 2

"""Rules of other packages: the optimizer of the package, and the formula of the publication."""

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from autolr import rules
from autolr.errors import ConfigError

State = dict[str, Any]
Update = Callable[[Tensor, Tensor, State, int, float], Any]  # gradient, weights, ..., step, rate


def trained(optimizer: Any, weights: nn.Parameter, steps: int) -> Tensor:
    """Return the weights after steps on a quadratic whose curvatures differ."""
    curvatures = torch.logspace(-1, 1, weights.numel(), dtype=weights.dtype).view_as(weights)

    def closure() -> Any:
        optimizer.zero_grad()
        loss: Any = (curvatures * weights.square()).sum() / 2
        loss.backward()
        return loss.detach()

    for _ in range(steps):
        optimizer.step(closure)
    return weights.detach().clone()


def start(dtype: torch.dtype = torch.float64) -> nn.Parameter:
    generator = torch.Generator().manual_seed(0)
    return nn.Parameter(torch.randn(3, 4, generator=generator, dtype=torch.float64).to(dtype))


def packages() -> dict[str, Callable[..., Any]]:
    import dadaptation
    import prodigyopt
    import pytorch_optimizer as po
    import schedulefree

    return {
        "adamw": torch.optim.AdamW,
        "radam": torch.optim.RAdam,
        "adafactor": torch.optim.Adafactor,
        "adabelief": po.AdaBelief,
        "adabound": po.AdaBound,
        "amsbound": partial(po.AdaBound, ams_bound=True),
        "adamod": po.AdaMod,
        "diffgrad": po.DiffGrad,
        "exadam": po.EXAdam,
        "yogi": po.Yogi,
        "adamp": po.AdamP,
        "lion": po.Lion,
        "lars": po.LARS,
        "lamb": partial(po.Lamb, adam_debias=True),
        "schedulefree_sgd": schedulefree.SGDScheduleFreeClosure,
        "schedulefree_adamw": schedulefree.AdamWScheduleFreeClosure,
        "schedulefree_radam": schedulefree.RAdamScheduleFreeClosure,
        "prodigy": prodigyopt.Prodigy,
        "dadapt_sgd": dadaptation.DAdaptSGD,
        "dadapt_adam": dadaptation.DAdaptAdam,
        "dadapt_adagrad": dadaptation.DAdaptAdaGrad,
        "dadapt_lion": dadaptation.DAdaptLion,
    }


NATIVE = [name for name in rules.names() if rules.record(name).rule is None]


@pytest.mark.parametrize("name", [name for name in NATIVE if name not in ("muon", "adago")])
def test_steps_are_those_of_the_package(name: str) -> None:
    ours, theirs = start(torch.float32), start(torch.float32)
    result = trained(rules.build(name, [ours], 0.5, weight_decay=0.01), ours, 10)
    own = packages()[name]([theirs], lr=0.5, weight_decay=0.01)
    assert torch.equal(result, trained(own, theirs, 10))


def _moments(g: Tensor, s: State, beta1: float = 0.9, beta2: float = 0.999) -> tuple[Any, Any]:
    s["m"] = beta1 * s.get("m", 0) + (1 - beta1) * g
    s["v"] = beta2 * s.get("v", 0) + (1 - beta2) * g**2
    return s["m"], s["v"]


def _corrected(lr: float, t: int) -> float:
    return float(lr * (1 - 0.999**t) ** 0.5 / (1 - 0.9**t))


def adabelief(g: Tensor, x: Tensor, s: State, t: int, lr: float) -> Any:
    s["m"] = 0.9 * s.get("m", 0) + 0.1 * g
    s["v"] = 0.999 * s.get("v", 0) + 0.001 * (g - s["m"]) ** 2 + 1e-16
    return x - lr / (1 - 0.9**t) * s["m"] / ((s["v"] / (1 - 0.999**t)).sqrt() + 1e-16)


def adabound(g: Tensor, x: Tensor, s: State, t: int, lr: float) -> Any:
    m, v = _moments(g, s)
    low, high = 0.1 * (1 - 1 / (1e-3 * t + 1)), 0.1 * (1 + 1 / (1e-3 * t))
    return x - (_corrected(lr, t) / (v.sqrt() + 1e-8)).clamp(low, high) * m


def amsbound(g: Tensor, x: Tensor, s: State, t: int, lr: float) -> Any:
    m, v = _moments(g, s)
    s["top"] = torch.maximum(s.get("top", v), v)
    low, high = 0.1 * (1 - 1 / (1e-3 * t + 1)), 0.1 * (1 + 1 / (1e-3 * t))
    return x - (_corrected(lr, t) / (s["top"].sqrt() + 1e-8)).clamp(low, high) * m


def adamod(g: Tensor, x: Tensor, s: State, t: int, lr: float) -> Any:
    m, v = _moments(g, s, beta2=0.99)
    rates = lr * (1 - 0.99**t) ** 0.5 / (1 - 0.9**t) / (v.sqrt() + 1e-8)
    s["mean"] = 0.9999 * s.get("mean", 0) + 0.0001 * rates
    return x - torch.minimum(rates, s["mean"]) * m


def diffgrad(g: Tensor, x: Tensor, s: State, t: int, lr: float) -> Any:
    m, v = _moments(g, s)
    friction = torch.sigmoid((s.get("last", 0) - g).abs())
    s["last"] = g.clone()
    return x - _corrected(lr, t) * friction * m / (v.sqrt() + 1e-8)


def adamp(g: Tensor, x: Tensor, s: State, t: int, lr: float) -> Any:
    m, v = _moments(g, s)
    direction = m / (v.sqrt() + 1e-8)  # the authors add eps after the correction of v
    for whole in (False, True):  # each row, then the layer
        shape = (1, -1) if whole else (len(x), -1)
        cosines = torch.cosine_similarity(g.view(shape), x.view(shape), dim=1).abs()
        if cosines.max() < 0.1 / x.view(shape).shape[1] ** 0.5:
            unit = (x.view(shape) / (x.view(shape).norm(dim=1, keepdim=True) + 1e-8)).view_as(x)
            along = (unit * direction).view(shape).sum(dim=1, keepdim=True)
            direction = direction - (unit.view(shape) * along).view_as(x)
            break
    return x - _corrected(lr, t) * direction


def yogi(g: Tensor, x: Tensor, s: State, t: int, lr: float) -> Any:
    v = s.get("v", 1e-6)
    s["v"] = v - 0.001 * torch.sign(v - g**2) * g**2
    s["m"] = 0.9 * s.get("m", 1e-6) + 0.1 * g
    return x - lr / (1 - 0.9**t) * s["m"] / ((s["v"] / (1 - 0.999**t)).sqrt() + 1e-3)


def lion(g: Tensor, x: Tensor, s: State, t: int, lr: float) -> Any:
    m = s.get("m", torch.zeros_like(g))
    s["m"] = 0.99 * m + 0.01 * g
    return x - lr * torch.sign(0.9 * m + 0.1 * g)


def lars(g: Tensor, x: Tensor, s: State, t: int, lr: float) -> Any:
    s["m"] = 0.9 * s.get("m", 0) + 0.001 * x.norm() / g.norm() * g
    return x - lr * s["m"]


def lamb(g: Tensor, x: Tensor, s: State, t: int, lr: float) -> Any:
    m, v = _moments(g, s)
    direction = m / (v.sqrt() + 1e-6)
    return x - lr * x.norm() / direction.norm() * direction


FORMULAS: dict[str, Update] = {
    made.__name__: made
    for made in (adabelief, adamp, adabound, amsbound, adamod, diffgrad, yogi, lion, lars, lamb)
}


@pytest.mark.parametrize("name", FORMULAS)
def test_steps_are_those_of_the_published_formula(name: str) -> None:
    weights = start()
    result = trained(rules.build(name, [weights], 0.01), weights, 20)
    x, state = start().detach(), State()
    curvatures = torch.logspace(-1, 1, x.numel(), dtype=x.dtype).view_as(x)
    for step in range(1, 21):
        x = FORMULAS[name](curvatures * x, x, state, step, 0.01)
    torch.testing.assert_close(result, x, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("whole", [False, True], ids=["rows", "layer"])
def test_adamp_leaves_out_what_lengthens_scale_invariant_weights(whole: bool) -> None:
    """The gradient of a loss that knows the direction of rows, or of the layer, alone."""

    def loss(x: Tensor) -> Any:
        length = x.norm() if whole else x.norm(dim=1, keepdim=True)
        return (torch.arange(12.0, dtype=x.dtype).view(3, 4) * x / length).square().sum()

    weights, state = start(), State()
    optimizer = rules.build("adamp", [weights], 0.01)
    x = start().detach()
    for step in range(1, 11):
        optimizer.zero_grad()
        loss(weights).backward()
        optimizer.step()
        x = x.requires_grad_()
        (gradient,) = torch.autograd.grad(loss(x), x)
        x = adamp(gradient, x.detach(), state, step, 0.01)
    torch.testing.assert_close(weights.detach(), x, rtol=1e-6, atol=1e-9)
    adam = start()
    plain = torch.optim.Adam([adam], 0.01)
    for _ in range(10):
        plain.zero_grad()
        loss(adam).backward()
        plain.step()
    assert weights.norm() < adam.norm()  # whose steps make the weights longer


def test_muon_orthogonalizes_matrices_and_leaves_the_rest_to_adamw() -> None:
    model, twin = (nn.Sequential(nn.Linear(4, 3), nn.Conv1d(3, 2, 1)) for _ in range(2))
    twin.load_state_dict(model.state_dict())
    optimizer = rules.build("muon", model.parameters(), 0.01, betas=(0.9, 0.99))
    matrix, *rest = twin.parameters()
    own: list[Any] = [
        torch.optim.Muon([matrix], lr=0.01, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(rest, lr=0.01, betas=(0.9, 0.99), weight_decay=0.1),
    ]
    inputs = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
    for _ in range(5):
        for one, steppers in ((model, [optimizer]), (twin, own)):
            one.zero_grad()
            one[0](inputs).square().sum().backward()
            one[1](inputs[:3].T[None, :3]).square().sum().backward()
            for stepper in steppers:
                stepper.step()
    for result, expected in zip(model.parameters(), twin.parameters(), strict=True):
        assert torch.equal(result, expected)


def test_muon_leaves_a_matrix_alone_whose_group_says_so() -> None:
    embedding, weight = nn.Embedding(5, 3).weight, nn.Linear(3, 3).weight
    groups: Any = [{"params": [embedding], "use_muon": False, "lr": 0.5}, {"params": [weight]}]
    result = rules.build("muon", groups, 0.1).param_groups
    assert [(group["use_muon"], group["lr"]) for group in result] == [(False, 0.5), (True, 0.1)]


def test_groups_and_settings_reach_the_optimizer() -> None:
    groups: Any = [{"params": [start()], "lr": 0.5, "weight_decay": 0.1}, {"params": [start()]}]
    made = rules.build("lion", groups, 0.1, betas=(0.5, 0.6))
    assert [group["lr"] for group in made.param_groups] == [0.5, 0.1]
    assert [group["weight_decay"] for group in made.param_groups] == [0.1, 0.0]
    assert {group["betas"] for group in made.param_groups} == {(0.5, 0.6)}


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("prodigy", {"d_0": 1.0}, "prodigy has no setting 'd_0'; it takes: betas, beta3, eps, "),
        ("prodigy", {"lr": 1.0}, "prodigy has no setting 'lr'; it takes: "),
        ("lion", {"kwargs": 1.0}, "lion has no setting 'kwargs'; it takes: "),
        ("lion", {"weight_decay": -1.0}, "lion: "),
        ("schedulefree_sgd", {"momentum": 2.0}, "schedulefree_sgd: Momentum must be between 0"),
        ("adamw", {"base": torch.optim.SGD}, "adamw makes steps of its own: base must be left out"),
        ("adamw", {"peak": 0.0}, "peak must be a finite number above 0, got 0.0"),
    ],
)
def test_what_cannot_work_is_refused_in_one_line(
    name: str, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError) as error:
        rules.build(name, [start()], **arguments)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


def test_a_missing_package_is_named_with_the_way_to_get_it(monkeypatch: Any) -> None:
    monkeypatch.setitem(sys.modules, "schedulefree", None)  # as if it could not be found
    message = r"^schedulefree_sgd needs schedulefree: pip install 'schedulefree>=1\.4\.1'$"
    with pytest.raises(ConfigError, match=message):
        rules.build("schedulefree_sgd", [start()])

import csv
import math
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from torch import nn

from autolr.errors import ConfigError, UnsupportedError
from autolr.rules import build, mup_groups
from autolr.rules.mup import width_factors

_GOLDEN = Path(__file__).parents[1] / "golden" / "golden_mup.csv"


def _net(width: int) -> nn.Module:
    return nn.Sequential(nn.Linear(3, width), nn.Linear(width, width), nn.Linear(width, 2))


@pytest.mark.parametrize("kind", ["adam", "sgd"])
def test_the_factors_are_those_of_the_authors_package(kind: Literal["adam", "sgd"]) -> None:
    rows = csv.DictReader(_GOLDEN.read_text("utf-8").splitlines())
    own = {row["parameter"]: row for row in rows if row["optimizer"] == kind}

    def shapes(column: str) -> dict[str, tuple[int, ...]]:
        return {name: tuple(map(int, row[column].split())) for name, row in own.items()}

    result = width_factors(shapes("shape"), shapes("base_shape"), kind)
    assert result == pytest.approx({name: float(row["rate"]) for name, row in own.items()})
    decays = {name: 1 / factor for name, factor in result.items()}
    assert decays == pytest.approx({name: float(row["weight_decay"]) for name, row in own.items()})


@pytest.mark.parametrize("kind", ["adam", "sgd"])
def test_without_more_width_nothing_changes(kind: Literal["adam", "sgd"]) -> None:
    net = _net(8)
    (group,) = mup_groups(net, _net(8), kind, rate=0.3)
    assert group == {"params": list(net.parameters()), "lr": 0.3}


def test_every_parameter_is_in_one_group() -> None:
    net = _net(32)
    groups = mup_groups(net, _net(8), "adam", rate=0.1, weight_decay=0.5)
    assert {weight for group in groups for weight in group["params"]} == set(net.parameters())
    assert sum(len(group["params"]) for group in groups) == 6
    assert [group["lr"] * group["weight_decay"] for group in groups] == pytest.approx([0.05] * 2)


def test_the_base_may_be_a_model_without_data() -> None:
    with torch.device("meta"):
        base = _net(8)
    shapes = {name: tuple(weight.shape) for name, weight in base.named_parameters()}
    net = _net(16)
    by_model, by_shapes = (
        [group["lr"] for group in mup_groups(net, given, "sgd", 1.0)] for given in (base, shapes)
    )
    assert by_model == by_shapes == [2.0, 1.0]


def test_the_groups_of_a_rule_keep_their_relation() -> None:
    net = _net(32)
    optimizer = build("dog", mup_groups(net, _net(8), "adam", rate=1.0))
    assert [group["lr"] for group in optimizer.param_groups] == [1.0, 0.25]


@pytest.mark.parametrize(("kind", "rate"), [("adam", 1e-3), ("sgd", 0.1)])
def test_a_step_changes_the_outputs_of_a_hidden_layer_alike_at_every_width(
    kind: Literal["adam", "sgd"], rate: float
) -> None:
    """The coordinate check of the paper: with equal rates it grows with the width (adam)."""
    changes = []
    for width in (64, 1024):
        torch.manual_seed(0)
        hidden = nn.Linear(width, width, bias=False)
        nn.init.normal_(hidden.weight, std=width**-0.5)
        inputs = torch.randn(1, width)
        groups: Any = mup_groups(hidden, nn.Linear(64, 64, bias=False), kind, rate)
        optimizer = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}[kind](groups)
        before = hidden(inputs).detach()
        (hidden(inputs) * torch.randn(width) / width).sum().backward()
        optimizer.step()
        changes.append((hidden(inputs) - before).detach().square().mean().sqrt())
    assert changes[1] / changes[0] == pytest.approx(1, rel=0.5)


def test_models_of_other_parameters_are_refused() -> None:
    with pytest.raises(
        ConfigError, match=r"only one of model and base has the parameter '2\.bias'"
    ):
        mup_groups(_net(8), nn.Sequential(*list(_net(8).children())[:2]), "sgd", 1.0)
    with pytest.raises(ConfigError, match="'a' of the base must be of 2 dimensions"):
        width_factors({"a": (2, 3)}, {"a": (2,)}, "sgd")
    with pytest.raises(UnsupportedError, match="'a' has more than two widths: 3"):
        width_factors({"a": (2, 2, 2)}, {"a": (1, 1, 1)}, "adam")
    with pytest.raises(ConfigError, match="kind must be 'adam' or 'sgd', got 'lion'"):
        width_factors({}, {}, "lion")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"rate": "0.1"}, "rate must be a number above 0, got '0.1'"),
        ({"rate": math.nan}, "rate must be a number above 0, got nan"),
        ({"weight_decay": -1}, "weight_decay must be a number of at least 0, got -1"),
        ({"model": None}, "model must be a module of torch, got None"),
        ({"base": None}, "base must be a module of torch, or its shapes by name, got None"),
    ],
)
def test_what_cannot_work_is_refused(changed: dict[str, Any], message: str) -> None:
    given = {"model": _net(8), "base": _net(4), "kind": "adam", "rate": 0.1, **changed}
    with pytest.raises(ConfigError, match=message):
        mup_groups(**given)


def test_a_base_without_elements_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"'a' of the base .* each at least 1, got \(0, 3\)"):
        width_factors({"a": (2, 3)}, {"a": (0, 3)}, "sgd")


def test_rates_of_numpy_are_plain_numbers() -> None:
    (group, *_) = mup_groups(_net(8), _net(4), "adam", np.float64(0.5), np.float64(0.25))
    assert [type(group[name]) for name in ("lr", "weight_decay")] == [float, float]

"""What the optimizer of a rule takes over from the optimizer whose place it takes."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer, Rprop

from autolr import rules
from autolr.errors import ConfigError
from autolr.rules.switching import Switching

NATIVE = [name for name in rules.names() if rules.record(name).rule is None]
OTHERS = [name for name in rules.names() if name != "fixed"]
_PAIRS = {  # rules whose optimizer has two betas
    *("adamw", "radam", "adabelief", "adabound", "amsbound", "diffgrad", "exadam", "yogi", "lion"),
    "adago",
    "adamp",
    *("lamb", "muon", "prodigy", "dadapt_adam", "dadapt_lion"),
    *("schedulefree_adamw", "schedulefree_radam"),
}
_MOVING = {"dadapt_adagrad", "dadapt_lion"}  # groups with a rate of 0 too, in dadaptation 3.2


def own_groups(*groups: dict[str, Any]) -> Any:
    """Return groups for an optimizer, whose annotation wants more than they have."""
    return list(groups)


def matrix() -> nn.Parameter:
    return nn.Parameter(torch.ones(3, 3))


def bias() -> nn.Parameter:
    return nn.Parameter(torch.ones(3))


def of(optimizer: Optimizer, parameter: nn.Parameter) -> dict[str, Any]:
    """Return the group of a parameter."""
    (result,) = (
        group
        for group in optimizer.param_groups
        if any(other is parameter for other in group["params"])
    )
    return result


@pytest.mark.parametrize("name", OTHERS)
def test_each_group_keeps_its_weight_decay_also_where_it_is_zero(name: str) -> None:
    weight, rest = matrix(), bias()
    groups = [{"params": [weight], "weight_decay": 0.03}, {"params": [rest], "weight_decay": 0.0}]
    made = rules.in_place_of(AdamW(groups), name)
    assert (of(made, weight)["weight_decay"], of(made, rest)["weight_decay"]) == (0.03, 0.0)


@pytest.mark.parametrize("name", NATIVE)
def test_an_optimizer_without_decay_gets_none_from_a_rule(name: str) -> None:
    weight = matrix()
    assert of(rules.in_place_of(SGD([weight]), name), weight)["weight_decay"] == 0


@pytest.mark.parametrize("own", [AdamW, Adam, SGD])
@pytest.mark.parametrize("name", rules.names())
@pytest.mark.parametrize("decay", [0.3, 0.0])
def test_a_setting_of_the_rule_replaces_that_of_the_optimizer(
    own: type[Any], name: str, decay: float
) -> None:
    weight, rest = matrix(), bias()
    groups: Any = [{"params": [weight], "weight_decay": 0.1}, {"params": [rest]}]
    made = rules.in_place_of(own(groups, lr=1e-3), name, weight_decay=decay)
    assert [group["weight_decay"] for group in made.param_groups] == [decay, decay]


@pytest.mark.parametrize("name", NATIVE)
def test_betas_that_were_set_are_kept_by_every_optimizer_that_has_two(name: str) -> None:
    weight, rest = matrix(), bias()
    groups: Any = [{"params": [weight]}, {"params": [rest], "betas": (0.0, 0.5)}]
    made = rules.in_place_of(AdamW(groups, betas=(0.8, 0.9)), name)
    result = [of(made, parameter).get("betas") for parameter in (weight, rest)]
    assert (result == [(0.8, 0.9), (0.0, 0.5)]) == (name in _PAIRS)
    assert all(betas is None or len(betas) == 3 for betas in result) or name in _PAIRS


def test_what_was_not_set_is_the_rules_own() -> None:
    own: Any = Adam([matrix()], betas=[0.9, 0.999])  # type: ignore[arg-type]  # as of YAML
    assert rules.in_place_of(own, "lion").param_groups[0]["betas"] == (0.9, 0.99)
    assert rules.in_place_of(own, "yogi").param_groups[0]["eps"] == 1e-3
    muon = rules.in_place_of(SGD([matrix()]), "muon").param_groups[0]
    assert (muon["momentum"], muon["nesterov"]) == (0.95, True)


def test_false_and_zero_of_a_group_are_kept() -> None:
    embedding, weight, other = matrix(), matrix(), matrix()
    groups: Any = [
        {"params": [embedding], "use_muon": False},
        {"params": [weight], "nesterov": False, "momentum": 0.0},
        {"params": [other]},
    ]
    made = rules.in_place_of(SGD(groups, momentum=0.9, nesterov=True), "muon")
    assert [of(made, one)["use_muon"] for one in (embedding, weight, other)] == [False, True, True]
    assert [of(made, one)["nesterov"] for one in (weight, other)] == [False, True]
    assert [of(made, one)["momentum"] for one in (weight, other)] == [0.0, 0.9]


def test_muon_can_leave_all_matrices_to_adamw_but_those_of_a_group() -> None:
    weight, other = matrix(), matrix()
    groups: Any = [{"params": [weight]}, {"params": [other], "use_muon": True}]
    made = rules.build("muon", groups, use_muon=False)
    assert [of(made, one)["use_muon"] for one in (weight, other)] == [False, True]


def test_a_value_of_another_form_is_another_setting() -> None:
    own = AdamW([matrix()], betas=(0.8, 0.9), eps=1e-5)
    assert rules.in_place_of(own, "adamod").param_groups[0]["betas"] == (0.9, 0.99, 0.9999)
    assert rules.in_place_of(own, "adafactor").param_groups[0]["eps"] == (None, 1e-3)
    assert rules.in_place_of(own, "adabelief").param_groups[0]["eps"] == 1e-5


def test_keys_that_the_optimizer_of_the_rule_does_not_know_are_left_behind() -> None:
    groups: Any = [{"params": [matrix()], "lr_scale": 0.5, "name": "body"}]
    for name in ("lion", "dog"):
        assert not {"lr_scale", "name"} & set(
            rules.in_place_of(AdamW(groups), name).param_groups[0]
        )


def test_a_run_that_maximizes_keeps_doing_so_or_is_refused() -> None:
    weight = matrix()
    made = rules.in_place_of(AdamW([weight], maximize=True), "lion")
    weight.grad = torch.ones_like(weight)
    made.step()
    assert (weight > 1).all()
    for name in ("dog", "muon", "prodigy"):
        with pytest.raises(ConfigError, match=f"^{name} minimizes, and AdamW has maximize=True"):
            rules.in_place_of(AdamW([matrix()], maximize=True), name)


def test_a_setting_that_cannot_differ_between_groups_is_refused() -> None:
    groups: Any = [{"params": [matrix()], "d0": 1e-3}, {"params": [matrix()], "d0": 1e-4}]
    with pytest.raises(ConfigError, match="dadapt_adam has one d0 for all groups"):
        rules.in_place_of(AdamW(groups), "dadapt_adam")
    assert rules.in_place_of(AdamW(groups), "dadapt_adam", d0=1e-5).param_groups[0]["d"] == 1e-5


@pytest.mark.parametrize("name", [name for name in rules.names() if name not in _MOVING])
def test_a_group_with_a_rate_of_zero_stays_where_it_is(name: str) -> None:
    frozen, moving = matrix(), matrix()
    own = SGD(own_groups({"params": [moving]}, {"params": [frozen], "lr": 0.0}), lr=0.1)
    made: Any = rules.in_place_of(own, name)

    def closure() -> Any:
        made.zero_grad()
        loss = (moving - 3).square().sum() + (frozen - 3).square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    for _ in range(10):
        made.step(closure)
    assert torch.equal(frozen, torch.ones(3, 3))
    assert not torch.equal(moving, torch.ones(3, 3))


@pytest.mark.parametrize("name", sorted(_MOVING))
def test_a_rule_that_would_move_a_group_with_a_rate_of_zero_refuses_it(name: str) -> None:
    own = SGD(own_groups({"params": [matrix()]}, {"params": [matrix()], "lr": 0.0}), lr=0.1)
    with pytest.raises(ConfigError, match=f"the same rate in all groups, which {name} has to"):
        rules.in_place_of(own, name)


def test_rates_relate_as_before_a_scheduler_wrote_into_them() -> None:
    own = SGD(own_groups({"params": [matrix()]}, {"params": [bias()], "lr": 0.01}), lr=0.1)
    torch.optim.lr_scheduler.LambdaLR(own, lambda step: step / 10)  # begins at 0
    made = rules.in_place_of(own, "lion")
    assert [group["lr"] for group in made.param_groups] == pytest.approx([1e-4, 1e-5])


def test_fixed_is_the_optimizer_itself_also_with_a_weight_decay() -> None:
    own = AdamW(own_groups({"params": [matrix()], "weight_decay": 0.0}, {"params": [bias()]}))
    assert rules.in_place_of(own, "fixed", weight_decay=0.3) is own
    own.add_param_group({"params": [bias()]})
    assert [group["weight_decay"] for group in own.param_groups] == [0.3] * 3
    with pytest.raises(ConfigError, match="weight_decay: Rprop has none"):
        rules.in_place_of(Rprop([matrix()]), "fixed", weight_decay=0.3)


# --- a base, whose steps a rule sizes


def test_the_groups_of_a_base_have_their_weight_decay() -> None:
    groups: Any = [{"params": [matrix()], "weight_decay": 0.0}, {"params": [bias()]}]
    made = rules.build("dog", groups, base=lambda params: AdamW(params, weight_decay=0.5))
    assert [group["weight_decay"] for group in made.param_groups] == [0.0, 0.5]
    groups = [{"params": [matrix()], "weight_decay": 0.0}, {"params": [bias()]}]
    for name in ("dog", "fixed"):
        made = rules.build(name, groups, base=AdamW, weight_decay=0.3)
        assert [group["weight_decay"] for group in made.param_groups] == [0.0, 0.3]


def test_a_weight_decay_that_a_base_does_not_have_is_refused() -> None:
    with pytest.raises(ConfigError, match="weight_decay: the base of dog has none"):
        rules.build("dog", [matrix()], base=Rprop, weight_decay=0.3)


def test_a_rate_of_a_group_stays_where_it_equals_the_default_of_the_base() -> None:
    groups: Any = [{"params": [matrix()], "lr": 1e-3}, {"params": [bias()]}]
    made = rules.build("fixed", groups, 0.1, base=AdamW)
    assert [group["lr"] for group in made.param_groups] == [1e-3, 0.1]


def test_a_group_that_is_added_to_a_base_is_there_once_with_its_own_rate() -> None:
    made = rules.build("dog", [matrix()], base=AdamW)
    made.add_param_group({"params": [bias()], "lr": 0.0})
    made.add_param_group({"params": [bias()]})
    assert [group["lr"] for group in made.param_groups] == [1.0, 0.0, 1.0]


# --- in a race


def test_each_optimizer_of_a_race_keeps_the_settings_of_the_groups() -> None:
    embedding, weight = matrix(), matrix()
    groups: Any = [
        {"params": [embedding], "use_muon": False, "weight_decay": 0.0},
        {"params": [weight], "weight_decay": 0.1},
    ]
    switching = Switching(AdamW(groups), {"muon": {}, "lion": {"weight_decay": 0.3}})
    switching.begin("muon")
    assert [group["use_muon"] for group in switching.param_groups] == [False, True]
    assert [group["weight_decay"] for group in switching.param_groups] == [0.0, 0.1]
    switching.begin("lion")
    assert [group["weight_decay"] for group in switching.param_groups] == [0.3, 0.3]


def test_a_rule_that_splits_a_group_cannot_race() -> None:
    with pytest.raises(ConfigError, match="muon splits a parameter group in two"):
        Switching(AdamW([matrix(), bias()]), {"muon": {}})

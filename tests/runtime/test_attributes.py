"""Plain attributes of modules: copied, exchanged, and given back as the same objects."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import random
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple

import numpy as np
import pytest
import torch
from lightning.pytorch import LightningModule
from torch import nn
from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MulticlassPrecision, MulticlassRecall

from autolr.runtime.attributes import Attributes
from autolr.runtime.model_tensors import tensors_of

Pair = namedtuple("Pair", ["h", "c"])


class Holder(nn.Module):
    """A module that keeps a value beside its weights."""

    def __init__(self, value):
        super().__init__()
        self.value = value


def same(left, right):
    """Return whether two values are equal, tensors, arrays and generators included."""
    if isinstance(left, dict):
        return type(left) is type(right) and same(list(left.items()), list(right.items()))
    if isinstance(left, list | tuple | deque):
        alike = type(left) is type(right) and len(left) == len(right)
        return alike and all(map(same, left, right))
    left, right = STATES.get(type(left), plain)(left), STATES.get(type(right), plain)(right)
    return type(left) is type(right) and bool(np.all(left == right))


def plain(value):
    return value


STATES = {
    torch.Tensor: torch.Tensor.numpy,
    torch.Generator: lambda g: g.get_state().numpy(),
    random.Random: random.Random.getstate,
    np.random.Generator: lambda g: str(g.bit_generator.state),
    np.random.RandomState: lambda g: str(g.get_state()),
}


# Each: a value, and a change to it in place or (returned) of the attribute.
CHANGES = {
    "number": (lambda: 3, lambda v: v + 1),
    "none": (lambda: None, lambda _: torch.ones(2)),
    "none to tuple": (lambda: None, lambda _: (torch.ones(2),)),
    "string": (lambda: "a", lambda v: v + "b"),
    "list": (lambda: [1, 2], lambda v: v.append(3)),
    "list of tensors": (lambda: [torch.zeros(2)], lambda v: v[0].add_(1)),
    "list of lists": (lambda: [[1]], lambda v: v[0].append(2)),
    "tuple": (lambda: (1, 2), lambda _: (3, 4)),
    "hidden state": (lambda: (torch.zeros(2),) * 2, lambda v: (v[0].add_(1), v[1])),
    "named tuple": (lambda: Pair(torch.zeros(2), [1]), lambda v: v._replace(c=v.c.append(1))),
    "dict": (lambda: {"a": 1}, lambda v: v.update(a=2, b=3)),
    "dict of tensors": (lambda: {"a": {"b": torch.zeros(2)}}, lambda v: v["a"]["b"].add_(1)),
    "ordered dict": (lambda: OrderedDict(a=1), lambda v: v.pop("a")),
    "default dict": (lambda: defaultdict(list, a=[1]), lambda v: v["b"].append(1)),
    "counter": (lambda: Counter("aab"), lambda v: v.update("ab")),
    "set": (lambda: {1, 2}, lambda v: v.add(3)),
    "frozen set": (lambda: frozenset({1}), lambda v: v | {2}),
    "deque": (lambda: deque([torch.zeros(2), 1], maxlen=2), lambda v: v.append(2)),
    "tensor": (lambda: torch.zeros(2), lambda v: v.add_(1)),
    "array": (lambda: np.zeros(2), lambda v: np.add(v, 1, out=v)),
    "array's item": (lambda: np.float32(1), lambda v: v + np.float32(1)),
    "torch generator": (torch.Generator, lambda v: torch.rand(1, generator=v)),
    "numpy generator": (lambda: np.random.default_rng(0), lambda v: v.random()),
    "old numpy generator": (lambda: np.random.RandomState(0), lambda v: v.rand()),
    "python generator": (lambda: random.Random(0), lambda v: v.random()),
}


IMMUTABLE = (int, str, tuple, frozenset, np.generic, type(None))


def change(holder, how):
    changed = how(holder.value)
    if isinstance(holder.value, IMMUTABLE):
        holder.value = changed


@pytest.mark.parametrize(("make", "how"), CHANGES.values(), ids=CHANGES)
def test_a_change_stays_on_its_side_of_the_exchange(make, how):
    holder = Holder(make())
    own = holder.value
    saved = Attributes(holder)
    saved.exchange()
    assert same(holder.value, make())  # equal, and yet
    change(holder, how)
    assert not same(holder.value, make())
    saved.exchange()
    assert holder.value is own  # the very object, as it was
    assert same(holder.value, make())
    saved.exchange()
    assert not same(holder.value, make())  # the change was kept on the other side


@pytest.mark.parametrize(("make", "how"), CHANGES.values(), ids=CHANGES)
def test_two_copies_are_equal_until_what_they_copy_changes(make, how):
    holder = Holder(make())
    early, late = Attributes(holder), Attributes(holder)
    assert early.equal(late)
    late.exchange()
    change(holder, how)
    late.exchange()
    assert not early.equal(late)


def test_a_new_attribute_makes_copies_differ():
    holder = Holder(1)
    early = Attributes(holder)
    holder.another = None
    assert not early.equal(Attributes(holder))


@pytest.mark.parametrize(("make", "how"), CHANGES.values(), ids=CHANGES)
def test_a_copy_has_the_type_of_its_original(make, how):
    holder = Holder(make())
    Attributes(holder).exchange()
    assert type(holder.value) is type(make())
    if isinstance(holder.value, deque):
        assert holder.value.maxlen == 2
    if isinstance(holder.value, defaultdict):
        assert holder.value.default_factory is list


def test_attributes_that_appear_or_vanish_do_so_on_one_side_only():
    holder = Holder(1)
    saved = Attributes(holder)
    saved.exchange()
    holder.new = [1]
    del holder.value
    saved.exchange()
    assert holder.value == 1
    assert not hasattr(holder, "new")
    saved.exchange()
    assert holder.new == [1]
    assert not hasattr(holder, "value")


def test_two_names_of_one_object_are_two_names_of_one_copy():
    holder, shared = Holder([torch.zeros(1)]), [1]
    holder.alias, holder.child, holder.child_of_child = holder.value, Holder(shared), {"a": shared}
    Attributes(holder).exchange()
    holder.value.append(2)
    holder.child.value.append(2)
    assert holder.alias is holder.value
    assert holder.child_of_child["a"] == [1, 2]
    assert shared == [1]


def test_a_list_that_holds_itself_is_copied():
    holder = Holder([])
    holder.value.append(holder.value)
    Attributes(holder).exchange()
    assert holder.value[0] is holder.value


def test_lists_of_parameters_and_buffers_still_refer_to_those():
    holder = Holder(None)
    holder.layer = nn.BatchNorm1d(2)
    holder.value = [holder.layer.weight, {"mean": holder.layer.running_mean}]
    Attributes(holder).exchange()
    assert holder.value[0] is holder.layer.weight
    assert holder.value[1]["mean"] is holder.layer.running_mean


def test_a_subclass_of_a_recurrent_layer_still_uses_its_weights():
    class Recurrent(nn.LSTM):
        """Keeps its weights in a plain list, as torch's own does."""

    layer = Recurrent(2, 3)
    Attributes(layer).exchange()
    layer(torch.ones(1, 1, 2))[0].sum().backward()
    assert layer.weight_ih_l0.grad is not None


def test_other_objects_are_shared():
    holder = Holder(other := object())
    Attributes(holder).exchange()
    assert holder.value is other


def test_weights_buffers_and_submodules_are_not_touched():
    model = nn.Sequential(nn.BatchNorm1d(2), Holder(1))
    before = [*model.parameters(), *model.buffers(), *model.modules()]
    Attributes(model).exchange()
    after = [*model.parameters(), *model.buffers(), *model.modules()]
    assert all(a is b for a, b in zip(before, after, strict=True))


def test_hyper_parameters_keep_their_type():
    class Module(LightningModule):
        def __init__(self, width=3, deep=None):
            super().__init__()
            self.save_hyperparameters()

    module = Module(deep={"a": [1]})
    own = module.hparams
    saved = Attributes(module)
    saved.exchange()
    assert type(module.hparams) is type(own)
    assert module.hparams is not own
    assert module.hparams.width == 3
    module.hparams.deep["a"].append(2)
    saved.exchange()
    assert module.hparams is own
    assert own.deep == {"a": [1]}


def test_a_metric_keeps_its_sums():
    model = nn.Module()
    model.metrics = MetricCollection(
        [MulticlassAccuracy(3), MulticlassPrecision(3), MulticlassRecall(3)]  # share their states
    )
    right, wrong = torch.tensor([0, 1, 2, 2]), torch.tensor([1, 2, 0, 2])
    for _ in range(2):
        model.metrics.update(right, right)
    expected = {name: float(value) for name, value in model.metrics.compute().items()}
    saved = Attributes(model)
    saved.exchange()
    model.metrics.update(right, wrong)
    spoilt = {name: float(value) for name, value in model.metrics.compute().items()}
    assert all(spoilt[name] < expected[name] for name in expected)
    saved.exchange()
    assert {name: float(value) for name, value in model.metrics.compute().items()} == expected


def test_tensors_are_those_that_torch_names_each_once():
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Sequential(nn.Linear(2, 2)))
    model[2].append(model[0])  # two ways to one module
    model[2][0].bias = model[0].bias
    model[2].register_parameter("absent", None)
    model[2].register_buffer("empty", None)
    model[2].gone = None
    parameters, buffers = tensors_of(model)
    assert len(parameters) == len(list(model.parameters()))
    assert {id(p) for p in parameters} == {id(p) for p in model.parameters()}
    assert [id(b) for b in buffers] == [id(b) for b in model.buffers()]

"""What a checkpoint leaves out is stored, or named."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import io
import tracemalloc
from array import array
from collections import namedtuple
from datetime import datetime, timedelta
from enum import Enum, Flag, IntEnum
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from autolr.runtime.equality import are_equal
from autolr.runtime.outside_checkpoint import OutsideCheckpoint, unkept
from autolr.runtime.stored_values import NotStorableError, check_storable, stored, unstored
from autolr.runtime.untouched import untouched

Point = namedtuple("Point", "x y")


class Phase(Enum):
    """Of a curriculum."""

    WARM = "warm"
    HOT = "hot"


class Level(IntEnum):
    """A number with a name."""

    LOW = 0
    HIGH = 1


class Bits(Flag):
    """Bits that can be combined."""

    A = 1
    B = 2


class Net(nn.Module):
    """Keeps something in an attribute."""

    def __init__(self, **fields):
        super().__init__()
        self.drop, self.norm = nn.Dropout(0.5), nn.BatchNorm1d(2)
        self.__dict__.update(fields)


def resumed(net, change, fresh):
    """Change a model as training does; return another one that takes on its state, and the lost."""
    before = OutsideCheckpoint(net, None, {})
    change(net)
    file = io.BytesIO()
    torch.save(before.state_dict(), file)
    file.seek(0)
    OutsideCheckpoint(fresh, None, {}).load_state_dict(torch.load(file, weights_only=True))
    return fresh, before.lost()


class AttrDict(dict):  # type: ignore[type-arg]
    """Has its items as attributes, and no others."""

    __getattr__ = dict.__getitem__
    __setattr__ = dict.__setitem__


class Slotted:
    """Has an empty slot, and asks a table for what it has not."""

    __slots__ = ("__level", "table")

    def __init__(self):
        self.table = {"level": 0}

    def __getattr__(self, name):
        return self.table[name]

    def raise_to(self, level):
        self.__level = level

    @property
    def level(self):
        return self.__level


def test_attributes_that_a_value_looks_up_itself_are_not_asked_for():
    made = [Net(config=AttrDict(width=1), slotted=Slotted()) for _ in range(2)]
    assert unkept(made[0], {}) == []
    net, lost = resumed(made[0], lambda net: net.slotted.raise_to(2), made[1])
    assert (net.config.width, net.slotted.level, lost) == (1, 2, [])


VALUES = [Phase.HOT, Level.HIGH, Point(1, Phase.HOT), timedelta(1, 2, 3), {"at": [Phase.WARM]}]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_enums_named_tuples_and_intervals_come_back(value):
    again = unstored(stored(value))
    assert again == value
    assert type(again) is type(value)
    check_storable(value)


def test_the_path_in_a_planted_file_calls_nothing():
    planted: Any = stored(Phase.HOT)
    planted["value"] = ["os:system", "HOT"]
    with pytest.raises(ValueError, match="no member HOT of an enum at os:system"):
        unstored(planted)


def test_bits_that_are_combined_have_no_plain_form():
    for take in (stored, check_storable):
        with pytest.raises(NotStorableError):
            take([Bits.A | Bits.B])


def test_numbers_of_torchs_own_modules_come_back():
    def change(net):
        net.drop.p, net.norm.momentum = 0.25, 0.5

    net, lost = resumed(Net(), change, Net())
    assert (net.drop.p, net.norm.momentum, lost) == (0.25, 0.5, [])


TENSORS = {
    "sparse": lambda n: n * torch.eye(3).to_sparse(),
    "sparse by row": lambda n: (n * torch.eye(3)).to_sparse_csr(),
    "sparse blocks by column": lambda n: (n * torch.eye(4)).to_sparse_bsc((2, 2)),
    "nested": lambda n: torch.nested.nested_tensor([torch.ones(n), torch.ones(1)]),
    "without data": lambda n: torch.empty(n, device="meta"),
    "expanded": lambda n: torch.full((1,), n).expand(2),
}
RECORDS = [("at", "f8"), ("n", "i4", (2,))]


@pytest.mark.filterwarnings("ignore")  # torch's, of what is new in it
@pytest.mark.parametrize("make", TENSORS.values(), ids=TENSORS)
def test_a_tensor_of_any_layout_comes_back(make):
    def change(net):
        net.field = make(2)

    assert not are_equal(make(1), make(2))
    net, lost = resumed(Net(field=make(1)), change, Net(field=make(1)))
    assert are_equal(net.field, make(2))
    assert lost == []


def test_an_array_of_records_comes_back():
    def change(net):
        net.field["at"] += 0.5

    first, again = (np.ones(2, dtype=RECORDS) for _ in range(2))
    net, lost = resumed(Net(field=first), change, Net(field=again))
    assert net.field is again
    assert net.field["at"].tolist() == [1.5, 1.5]
    assert lost == []


class Path(list[int]):
    """Keeps a position beside its items."""

    position = 0


def counter():
    """Return a function that counts its calls."""
    count, memo = 0, {"calls": SimpleNamespace(count=0)}

    def step(seen=[0]):  # noqa: B006
        nonlocal count
        count += 1
        memo["calls"].count += 1
        seen[0] += 1
        step.count += 1
        return [count, memo["calls"].count, seen[0], step.count]

    step.count = 0
    return step


def raised(value):
    """Raise what an attribute of a namespace has."""
    value.level += 1
    value.past.append(value.level)


def set_bytes(value):
    """Change numbers in place."""
    value[0] += 1


STATES: dict[str, tuple[Any, Any, Any]] = {  # how it is made, changed, and read
    "a namespace": (lambda: SimpleNamespace(level=1, past=[]), raised, repr),
    "one in a dict": (
        lambda: {"a": SimpleNamespace(level=1, past=[])},
        lambda held: raised(held["a"]),
        repr,
    ),
    "a function": (counter, lambda step: step(), lambda step: step()),
    "part of a function": (lambda: partial(counter()), lambda step: step(), lambda step: step()),
    "a method of an object": (
        lambda: np.random.default_rng(1).random,
        lambda draw: draw(),
        lambda draw: draw(),
    ),
    "numbers": (lambda: array("d", [1.5]), set_bytes, list),
    "bytes": (lambda: bytearray(1), set_bytes, list),
    "a list with attributes": (
        lambda: Path([1]),
        lambda path: setattr(path, "position", 1),
        lambda path: path.position,
    ),
}


@pytest.mark.parametrize(("make", "change", "read"), STATES.values(), ids=STATES)
@pytest.mark.parametrize("of_torch", [False, True], ids=["of the model", "of a module of torch"])
def test_state_in_objects_functions_and_bytes_comes_back(make, change, read, of_torch):
    def owner(net):
        return net.drop if of_torch else net

    nets = Net(), Net()
    for net in nets:
        owner(net).field = make()
    assert unkept(nets[0], {}) == []
    net, lost = resumed(nets[0], lambda net: change(owner(net).field), nets[1])
    assert read(owner(net).field) == read(owner(nets[0]).field)
    assert lost == []


def test_a_probe_leaves_functions_and_modules_of_torchs_own_as_they_are():
    net = Net(field=counter())
    net.drop.level = [0.0]
    with untouched(net, whole=True):
        net.field()
        net.drop.level[0] += 1
        net.drop.p *= 0.5
    assert (net.field()[:2], net.drop.level, net.drop.p) == ([1, 1], [0.0], 0.5)


def sharing():
    """Return a model with tensors that lie in its weights and buffers."""
    net = Net()
    net.rows = {"norm": [*net.norm.running_mean.unbind(0), net.norm.weight.data]}
    net.clipped, net.old = net.norm.bias.data[1:], net.norm.bias.data
    return net


def test_a_tensor_that_lies_in_a_weight_lies_there_again():
    def change(net):
        net.added = [net.norm.weight.data[:1]]
        net.old = net.old + 1
        net.norm.weight.data.fill_(2)

    net, lost = resumed(sharing(), change, fresh := sharing())
    for tensor in (*net.rows["norm"], net.clipped, *net.added):
        tensor.fill_(5)
    assert fresh.norm.running_mean.tolist() == fresh.norm.weight.tolist() == [5.0, 5.0]
    assert fresh.norm.bias.tolist() == [0.0, 5.0]
    assert (net.old.tolist(), lost) == ([1.0, 1.0], [])


def test_a_tensor_in_a_module_of_torchs_own_comes_back():
    nets = Net(), Net()
    for net in nets:
        net.drop.level = torch.zeros(1)
    net, lost = resumed(nets[0], lambda net: net.drop.level.add_(1), nets[1])
    assert (float(net.drop.level), lost) == (1.0, [])


def test_what_nothing_can_be_seen_of_is_named_before_the_study():
    class Local(datetime):
        """Can be copied, and no file can name its class."""

    net = Net(held=[Local(2000, 1, 1)], kind=torch.finfo(torch.float32), date=datetime(2000, 1, 1))
    assert unkept(net, {}) == ["held[0] (Local)"]


LOST: dict[
    str, tuple[Any, Any, str]
] = {  # what an attribute is at first, and what training makes of it
    "a list of objects": ([], [SimpleNamespace(level=1)], "field (SimpleNamespace)"),
    "an object made later": (None, SimpleNamespace(level=1), "field (SimpleNamespace)"),
    "another function": (abs, len, "field (builtin_function_or_method)"),
    "another argument": (partial(pow, 1), partial(pow, 2), "field (partial)"),
    "a date": (datetime(2000, 1, 1), datetime(2000, 1, 2), "field (datetime)"),
    "bits": (Bits.A, Bits.A | Bits.B, "field (Bits)"),
}


@pytest.mark.parametrize(("first", "then", "name"), LOST.values(), ids=LOST)
def test_what_has_no_plain_form_is_named_once_training_has_changed_it(first, then, name):
    _, lost = resumed(Net(field=first), lambda net: setattr(net, "field", then), Net(field=first))
    assert lost == [name]


KEPT = [[SimpleNamespace(level=0)], lambda: 0, partial(pow, 1), {"net": nn.Linear(1, 1)}, Net()]


@pytest.mark.parametrize("value", KEPT, ids=lambda value: type(value).__name__)
def test_what_has_no_plain_form_and_stays_is_not_named(value):
    assert resumed(Net(field=value), lambda net: None, Net())[1] == []


def test_a_function_that_hooks_make_anew_is_not_named():
    def make():
        return lambda: 0

    assert resumed(Net(field=make()), lambda net: setattr(net, "field", make()), Net())[1] == []


def test_a_large_array_is_not_copied_to_find_out_whether_it_can_be_stored():
    array = np.zeros(2**24)
    tracemalloc.start()
    check_storable({"data": [array]})
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < array.nbytes / 1000

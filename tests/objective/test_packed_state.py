"""What a function saves comes back as it was, and nothing that could run code does."""

import io
import pickle
import subprocess
import sys
import zipfile
from collections import Counter, OrderedDict, defaultdict
from enum import IntEnum
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

from autolr.errors import ConfigError
from autolr.objective.packed_state import Packed
from autolr.objective.state_file import UnusableStateError, read_state


def round_trip(state: Any, folder: Path) -> Any:
    Packed(state).write(folder / "state", {"trial": "a 0"})
    read, notes = read_state(folder / "state")
    assert notes == {"trial": "a 0"}
    return read


@pytest.mark.parametrize(
    "state",
    [
        None,
        3,
        2**200,
        -0.1,
        float("inf"),
        "text \N{SNOWMAN} \ud800",
        b"\x00\xff",
        [],
        {},
        (),
        [1, (2.5, [None, True])],
        {"a": {1: "int", (1, 2): "tuple", None: [b""]}, "dict": {"list": []}},
        np.random.default_rng(0).bit_generator.state,
    ],
    ids=repr,
)
def test_plain_values_come_back_equal_and_of_the_same_type(state: Any, tmp_path: Path) -> None:
    read = round_trip(state, tmp_path)
    assert read == state
    assert repr(read) == repr(state)


class Colour(IntEnum):
    RED = 1


class Point(NamedTuple):
    weights: Any
    step: int


def local_point() -> Any:
    class Local(NamedTuple):
        step: int

    return Local(1)


class Names(list[str]):
    pass


def test_values_come_back_with_their_class(tmp_path: Path) -> None:
    state = {
        "point": Point([1.5], 3),
        "colour": Colour.RED,
        "ordered": OrderedDict(b=1, a=(2,)),
        "counts": Counter("aab"),
        "history": defaultdict(list, loss=[0.5]),
        "size": torch.Size([2, 3]),
        "score": np.float64(0.1),
    }
    read = round_trip(state, tmp_path)
    assert repr(read) == repr(state)
    assert [type(value) for value in read.values()] == [type(value) for value in state.values()]
    assert read["history"]["new"] == []
    norm = torch.nn.BatchNorm1d(2).state_dict()
    assert vars(round_trip(norm, tmp_path)) == vars(norm)  # the versions of its layers


def test_a_tensor_that_is_trained_still_is(tmp_path: Path) -> None:
    state = (torch.nn.Parameter(torch.ones(2)), torch.zeros(2, requires_grad=True), torch.ones(2))
    read = round_trip((*state, state[1] * 2), tmp_path)
    assert [type(tensor) for tensor in read[:2]] == [torch.nn.Parameter, torch.Tensor]
    assert [tensor.requires_grad for tensor in read] == [True, True, False, False]


@pytest.mark.parametrize(
    ("value", "plainly"),
    [
        (Names("a"), "list"),
        (np.ma.array([1, 2], mask=[False, True]), r"numpy\.array"),
        (local_point(), "tuple"),
        (defaultdict(lambda: 1), "dict"),
    ],
    ids=["list", "masked array", "named tuple of no module", "default by a function"],
)
def test_what_would_come_back_as_another_class_is_refused(value: Any, plainly: str) -> None:
    with pytest.raises(ConfigError, match=rf"state\['v'\] is of .*: save {plainly}\(\.\.\.\) or"):
        Packed({"v": value})


def test_arrays_and_tensors_come_back_bit_by_bit(tmp_path: Path) -> None:
    array = np.array([[1, np.nan], [3, 4]], dtype=np.float32)[:, 1]
    tensor = torch.arange(6, dtype=torch.bfloat16)[::2]
    model = torch.nn.Linear(2, 3)
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(2)).sum().backward()
    optimizer.step()
    state = {"a": array, "n": np.int64(5), "t": tensor, "o": optimizer.state_dict()}
    read = round_trip({**state, "m": OrderedDict(model.state_dict())}, tmp_path)
    assert read["a"].dtype == array.dtype
    np.testing.assert_array_equal(read["a"], array)
    assert (type(read["n"]), read["n"]) == (np.int64, 5)
    assert read["t"].dtype == torch.bfloat16
    assert torch.equal(read["t"], tensor)
    other = torch.nn.Linear(2, 3)
    other.load_state_dict(read["m"])
    assert torch.equal(other.weight, model.weight)
    again = torch.optim.Adam(other.parameters())
    again.load_state_dict(read["o"])
    assert again.state_dict()["state"][0]["step"] == 1


def test_it_is_taken_when_it_is_saved(tmp_path: Path) -> None:
    array, tensor, items = np.zeros(2), torch.zeros(2), [1]
    packed = Packed({"a": array, "t": tensor, "i": items})
    array += 1
    tensor += 1
    items.append(2)
    packed.write(tmp_path / "state", {})
    read, _ = read_state(tmp_path / "state")
    assert (read["a"].sum(), float(read["t"].sum()), read["i"]) == (0, 0, [1])


def test_a_view_does_not_bring_all_that_it_is_a_view_of(tmp_path: Path) -> None:
    round_trip([torch.zeros(100_000)[:2], np.zeros(100_000)[:2]], tmp_path)
    assert (tmp_path / "state").stat().st_size < 5000


class Model:
    pass


@pytest.mark.parametrize(
    ("state", "where"),
    [
        (Model(), r"state must be tensors"),
        ({"a": [1, Model()]}, r"state\['a'\]\[1\] must be"),
        ({Model(): 1}, r"a key of state must be"),
        (np.array([Model()]), r"state must be"),
        ({1, 2}, r"state must be"),
        (len, r"state must be"),
    ],
)
def test_what_could_run_code_is_refused_by_its_place(state: Any, where: str) -> None:
    with pytest.raises(ConfigError, match=rf"trial.save\(state\): {where}"):
        Packed(state)


class Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("ran"),))


def test_a_file_that_would_run_code_is_not_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    array, tensors = io.BytesIO(), io.BytesIO()
    np.save(array, np.array([Bomb()]), allow_pickle=True)
    torch.save([Bomb()], tensors)
    for kind, data in (("array", array), ("tensor", tensors)):
        with zipfile.ZipFile("state", "w") as opened:
            name = "tensors.pt" if kind == "tensor" else "0.bin"
            opened.writestr(name, data.getvalue())
            inner: Any = 0 if kind == "tensor" else name
            opened.writestr(
                "state.json",
                f'{{"notes": {{}}, "state": {{"{kind}": {inner!r}}}}}'.replace("'", '"'),
            )
        with pytest.raises(UnusableStateError):
            read_state(Path("state"))
    assert not Path("ran").exists()
    assert round_trip(pickle.dumps(Bomb()), tmp_path) == pickle.dumps(Bomb())
    assert not Path("ran").exists()


def test_every_damaged_byte_is_noticed_or_harmless(tmp_path: Path) -> None:
    state = {"a": np.arange(3), "b": [1, 2.5, "x"]}
    Packed(state).write(tmp_path / "state", {})
    whole = (tmp_path / "state").read_bytes()
    noticed = 0
    for place in range(0, len(whole), 7):
        damaged = bytearray(whole)
        damaged[place] ^= 0xFF
        (tmp_path / "state").write_bytes(bytes(damaged))
        try:
            read, _ = read_state(tmp_path / "state")
        except UnusableStateError:
            noticed += 1
        else:
            assert repr(read) == repr(state)
    assert noticed > len(whole) // 7 // 2


@pytest.mark.slow
def test_a_state_without_tensors_needs_no_torch(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path\n"
        "from autolr.objective.packed_state import Packed\n"
        "from autolr.objective.state_file import read_state\n"
        "import numpy as np; file = Path(sys.argv[1])\n"
        "Packed({'w': np.ones(2)}).write(file, {}); assert read_state(file)[0]['w'].sum() == 2\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "state")], check=True)

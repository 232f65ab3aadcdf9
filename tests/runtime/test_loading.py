"""Checkpoints that are planted, damaged, or hold classes of the user's."""

import collections
import os
import pickle
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from autolr.errors import ConfigError
from autolr.runtime.loading import UnreadableError, allowing, load
from autolr.runtime.loading_checks import check_kept

SETTING = "pathlib.PurePosixPath"
_FLOAT64 = "numpy.dtypes.Float64DType"
GOOD: dict[str, Any] = {
    "weights": torch.arange(1000.0),
    "step": 3,
    "names": ["a", None],
    "set": {1},
}


class Planted:
    """Runs code where it is unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.file),)


@dataclass
class Setting:
    """What a user's module may keep."""

    width: int


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "rung.ckpt"
    torch.save(GOOD, made)
    return made


def test_what_was_written_is_read(file: Path) -> None:
    result = load(file)
    assert torch.equal(result.pop("weights"), GOOD["weights"])
    assert result == {name: value for name, value in GOOD.items() if name != "weights"}


def _bare_pickle(file: Path, planted: Planted) -> None:
    file.write_bytes(pickle.dumps(planted))


def _old_format(file: Path, planted: Planted) -> None:
    torch.save(planted, file, _use_new_zipfile_serialization=False)


def _new_format(file: Path, planted: Planted) -> None:
    torch.save({"callbacks": {}, "x": [planted]}, file)


def _hidden(file: Path, planted: Planted) -> None:
    """Behind a class that is allowed."""
    torch.save(collections.OrderedDict(x=collections.Counter({planted: 1})), file)


def _by_a_torch_function(file: Path, planted: Planted) -> None:
    """A pickle that calls a function of torch's which runs code."""

    class Calls:
        def __reduce__(self) -> Any:
            return torch.hub.load, (str(planted.file), "x")

    torch.save(Calls(), file)


PLANTS = [_bare_pickle, _old_format, _new_format, _hidden, _by_a_torch_function]


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__)
def test_planted_code_is_not_run_whatever_it_is_packed_in(
    file: Path, plant: Callable[[Path, Planted], None]
) -> None:
    mark = file.parent / "ran"
    plant(file, Planted(mark))
    with pytest.raises(UnreadableError) as refused:
        load(file)
    assert not mark.exists()
    assert "\n" not in str(refused.value)
    with allowing([SETTING]), pytest.raises(UnreadableError):
        load(file)
    assert not mark.exists()


def test_what_planted_code_would_call_is_named(file: Path) -> None:
    _new_format(file, Planted(file.parent / "ran"))
    with pytest.raises(UnreadableError, match=r"it holds posix.mkdir, which tune.safe_globals"):
        load(file)


def _cut(file: Path, size: int) -> None:
    os.truncate(file, size)


def _gone(file: Path) -> Path:
    file.unlink()
    return file


DAMAGES: list[Callable[[Path], object]] = [
    lambda file: _cut(file, 0),
    lambda file: _cut(file, 100),
    lambda file: _cut(file, file.stat().st_size - 1),
    lambda file: file.write_bytes(file.read_bytes()[100:]),
    lambda file: file.write_bytes(b"no checkpoint"),
    lambda file: file.write_bytes(b"\0" * 10_000),
    lambda file: os.mkfifo(_gone(file)),
    lambda file: _gone(file).mkdir(),
    lambda file: _gone(file).symlink_to("/dev/zero"),
    lambda file: _gone(file).symlink_to("nowhere"),
    lambda file: zipfile.ZipFile(file, "w").close(),
]


@pytest.mark.parametrize("damage", DAMAGES, ids=range(len(DAMAGES)))
def test_a_damaged_file_is_said_in_a_line(file: Path, damage: Callable[[Path], object]) -> None:
    damage(file)
    with pytest.raises(UnreadableError) as refused:
        load(file)
    assert str(refused.value).startswith("it is ")
    assert "\n" not in str(refused.value)


def test_a_byte_that_changed_is_noticed(file: Path) -> None:
    data = bytearray(file.read_bytes())
    at = data.index(torch.tensor(500.0).numpy().tobytes())
    data[at] ^= 1
    file.write_bytes(data)
    with pytest.raises(UnreadableError, match=r"damaged at .*data/0"):
        load(file)


def test_a_class_that_is_named_is_loaded_and_no_other(file: Path) -> None:
    name = f"{Setting.__module__}.{Setting.__qualname__}"
    torch.save({"setting": Setting(3), "folder": Path("x")}, file)
    with pytest.raises(ConfigError) as refused:
        check_kept(file, "the checkpoint")
    names = str(refused.value).partition("safe_globals: ")[2].strip("[]").split(", ")
    assert name in names
    assert len(names) == 2
    with allowing(names):
        check_kept(file, "the checkpoint")
        assert load(file) == {"setting": Setting(3), "folder": Path("x")}
    with allowing([name]), pytest.raises(UnreadableError, match=r"it holds pathlib\S+, which"):
        load(file)


def test_numbers_of_numpy_are_allowed_with_their_types(file: Path) -> None:
    torch.save({"best": np.float64(0.5)}, file)
    names: list[str] = []
    for expected in (["numpy._core.multiarray.scalar", "numpy.dtype"], [_FLOAT64]):
        with allowing(names), pytest.raises(ConfigError) as refused:
            check_kept(file, "the checkpoint")
        names += str(refused.value).partition("safe_globals: ")[2].strip("[]").split(", ")
        assert names[-len(expected) :] == expected
    with allowing(names):
        check_kept(file, "the checkpoint")
        assert load(file) == {"best": 0.5}


def test_what_cannot_be_allowed_is_said_with_what_can_be_done() -> None:
    names = ["builtins.list", "collections.defaultdict"]
    with allowing(names), pytest.raises(ConfigError, match=r"collections\.defaultdict that torch "):
        check_kept({"seen": collections.defaultdict(list, {1: [2]})}, "what Line saves")


def test_values_are_checked_before_they_are_written() -> None:
    check_kept({"width": 3, "weights": torch.zeros(2), "run": lambda: None}, "what Line saves")
    check_kept({"width": 3, "weights": torch.zeros(2)}, "what Line saves")
    with pytest.raises(ConfigError, match=r"^what Line saves holds pathlib\S+, and loading that"):
        check_kept({"width": 3, "folder": Path("x")}, "what Line saves")


@pytest.mark.parametrize("name", ["no_such.Class", "pathlib.NoPath", "pathlib.Path.none", "x"])
def test_a_name_that_is_nothing_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=r"tune\.safe_globals must be names that can be imported"):
        allowing([name])

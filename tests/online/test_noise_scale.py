"""The noise scale of gradients whose mean and covariance are known."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from autolr.errors import ConfigError
from autolr.online import NoiseScale

DIMENSION, SMALL, BIG = 50, 4, 32


@pytest.mark.parametrize("sizes", [(1, 2), (4, 32), (100, 101)])
def test_with_the_expected_norms_it_is_exact(sizes: tuple[int, int]) -> None:
    squared, trace = 0.3, 7.0
    small, big = (squared + trace / size for size in sizes)
    scale = NoiseScale(0.9)
    for _ in range(3):
        scale = scale.observe(small=small, big=big, sizes=sizes)
    share = 1 - 0.9**3
    assert scale.squared == pytest.approx(share * squared)
    assert scale.trace == pytest.approx(share * trace)
    assert scale.critical_batch_size == pytest.approx(trace / squared)


def test_gaussian_gradients_give_the_ratio_of_trace_and_squared_norm() -> None:
    """4,000 steps: the standard error of the ratio is below 2 %."""
    generator = np.random.default_rng(0)
    spread = np.linspace(0.5, 2.0, DIMENSION)
    mean = generator.normal(size=DIMENSION)
    scale = NoiseScale(decay=0.999)
    for _ in range(4000):
        samples = mean + spread * generator.normal(size=(BIG, DIMENSION))
        small, big = samples[:SMALL].mean(0), samples.mean(0)
        scale = scale.observe(small=small @ small, big=big @ big, sizes=(SMALL, BIG))
    expected = (spread**2).sum() / (mean**2).sum()
    assert scale.critical_batch_size == pytest.approx(expected, rel=0.05)
    assert str(scale).startswith("critical batch size: about ")


def test_noise_that_hides_the_gradient_gives_no_size() -> None:
    scale = NoiseScale().observe(small=10.0, big=1.0, sizes=(1, 8))
    assert scale.squared < 0
    assert scale.critical_batch_size is None
    assert "the noise hides the gradient" in str(scale)


def test_a_norm_that_is_not_finite_is_left_out() -> None:
    scale = NoiseScale().observe(small=3.0, big=2.0, sizes=(1, 8))
    assert scale.observe(small=math.inf, big=2.0, sizes=(1, 8)) == scale


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda: NoiseScale(1.0), r"decay of NoiseScale must be a number within \[0, 1\), got 1"),
        (lambda: NoiseScale().observe(small=1, big=1, sizes=(8, 8)), "must be a whole number of"),
        (lambda: NoiseScale().observe(small=-1, big=1, sizes=(1, 8)), "small must be a number of"),
        (
            lambda: NoiseScale().observe(small="4", big=1.0, sizes=(2, 8)),  # type: ignore[arg-type]
            "small must be a number of at least 0, got '4'",
        ),
        (
            lambda: NoiseScale().observe(small=4.0, big=1.0, sizes=8),  # type: ignore[arg-type]
            "sizes must be two sizes, that of the smaller batch first, got 8",
        ),
    ],
)
def test_what_cannot_work_is_refused(call: Callable[[], object], expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        call()

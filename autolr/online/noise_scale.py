"""The noise scale of gradients: the batch size beyond which larger batches gain little."""

import math
from dataclasses import dataclass, replace
from typing import Self

from autolr.errors import ConfigError
from autolr.predicates import is_number
from autolr.settings import Beta, NotNegative, check_of, read_number, read_setting, read_whole


@dataclass(frozen=True, slots=True)
class NoiseScale:
    """Estimates of |G|^2 and tr(S) from the squared norms of gradients at two batch sizes.

    A gradient of a batch of B is the true gradient G plus noise of covariance S / B, so its squared
    norm is |G|^2 + tr(S) / B in the mean. Two batch sizes b < B give both without bias:

        |G|^2 = (B |g_B|^2 - b |g_b|^2) / (B - b)
        tr(S) = (|g_b|^2 - |g_B|^2) / (1 / b - 1 / B)

    and tr(S) / |G|^2 is the *simple noise scale*. The ratio of two estimates is biased, so each of
    them is averaged over steps first. The simple noise scale is near the critical batch size, at
    which training takes twice the fewest steps and twice the fewest samples, as far as curvature
    is alike in all directions; it grows in a run.

    Args:
        decay: Share of the exponential averages that stays.

    Attributes:
        steps: How many pairs were observed.
        squared: Average of |G|^2, without correction for the first steps.
        trace: Average of tr(S), likewise.

    Raises:
        ConfigError: If ``decay`` is outside [0, 1).

    Source: McCandlish et al. 2018, arXiv:1812.06162: section 2.2 (the simple noise scale) and
    appendix A.1 (the estimate).

    >>> scale = NoiseScale().observe(small=4.0 + 60 / 2, big=4.0 + 60 / 8, sizes=(2, 8))
    >>> round(scale.critical_batch_size, 9)
    15.0
    """

    decay: float = 0.99
    steps: int = 0
    squared: float = 0.0
    trace: float = 0.0

    def __post_init__(self) -> None:
        read_setting("decay of NoiseScale", check_of(Beta), self.decay)

    def observe(self, *, small: float, big: float, sizes: tuple[int, int]) -> Self:
        """Return it with the gradients of one more step. Norms that are not finite are left out.

        Args:
            small: Squared norm of the gradient of the smaller batch: of its mean loss.
            big: Of the larger batch, which may contain the smaller one.
            sizes: Their sizes in samples.

        Raises:
            ConfigError: If a norm is negative, a size is no whole number above 0, or the first
                one is not the smaller one.
        """
        least, most = _read_sizes(sizes)
        if any(is_number(norm) and not math.isfinite(norm) for norm in (small, big)):
            return self
        small = read_number("small", check_of(NotNegative), small)
        big = read_number("big", check_of(NotNegative), big)
        squared = (most * big - least * small) / (most - least)
        trace = (small - big) / (1 / least - 1 / most)
        return replace(
            self,
            steps=self.steps + 1,
            squared=self.decay * self.squared + (1 - self.decay) * squared,
            trace=self.decay * self.trace + (1 - self.decay) * trace,
        )

    @property
    def critical_batch_size(self) -> float | None:
        """The simple noise scale tr(S) / |G|^2, in samples; None: the noise hides the gradient."""
        if self.squared <= 0 or self.trace < 0:
            return None
        return self.trace / self.squared  # the corrections of both averages cancel

    def __str__(self) -> str:
        size, seen = self.critical_batch_size, f"gradients of {self.steps} steps"
        if size is None:
            return f"critical batch size: not known, the noise hides the gradient ({seen})"
        return f"critical batch size: about {size:.3g} samples ({seen})"


def _read_sizes(sizes: object) -> tuple[int, int]:
    if not isinstance(sizes, list | tuple) or len(sizes) != 2:
        raise ConfigError.of("sizes", sizes, "two sizes, that of the smaller batch first")
    least, most = (read_whole("sizes", size) for size in sizes)
    read_whole("sizes[1] - sizes[0]", most - least)
    return least, most

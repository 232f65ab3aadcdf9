"""Where a loss curve is going: the loss at a later step, with an interval that is calibrated."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from autolr.errors import ConfigError

_FEWEST = 4  # points that a curve is fitted to: a law has three free numbers
_BLOCKS = 128  # a longer curve is fitted by the means of so many blocks: that bounds the cost
_RECENCY = 4.0  # the weight of a point is the power of its rank: the end of a curve says most
# How much further than it fell a curve may fall, in its falls so far. It is a choice, but a bound
# has to be: without one, exponentials fitted to short probes predicted a negative cross-entropy in
# 5 % of the cases, and the most absurd forecast wins a comparison.
_DEEPEST = 2.0
_RESOLUTION = 1e-5  # of a loss: no interval is narrower, as means in float32 have such errors

# In units of the steps seen, the first at 0: decay times, offsets and exponents of the laws tried,
# from laws that are over early in the curve to those that are nearly straight lines in it.
_DECAY_TIMES = np.geomspace(0.05, 5.0, 24)
_OFFSETS, _EXPONENTS = map(
    np.ravel, np.meshgrid((0.02, 0.06, 0.2, 0.6, 2.0), (0.25, 0.5, 0.75, 1.0, 1.5, 2.0))
)

# Squared scale of the forecast's error, near the likeliest for the curves of the benchmark:
_NOISE = 0.3  # in variances of the noise, at the last step
_GROWTH = 2.2  # the same, times log(1 + steps ahead in units of the steps seen)
_DISAGREEMENT = 2.5  # in variances between the forecasts of the laws


@dataclass(frozen=True, slots=True)
class Forecast:
    """The loss expected at a step, and the interval in which it will be seen.

    Attributes:
        loss: The expected loss, without the noise of a single one.
        low: Lower edge of the interval.
        high: Its upper edge: a loss above it is one that the curve so far does not explain.
    """

    loss: float
    low: float
    high: float


def forecast_loss(
    steps: ArrayLike, losses: ArrayLike, horizon: float, *, level: float = 0.8
) -> Forecast:
    """Forecast the loss that a run will show at step ``horizon``.

    An ensemble of laws that fall to an asymptote d, with t in units of the steps seen,

        loss(t) = a exp(-t / T) + d     and     loss(t) = a (t + b)^-c + d,     a >= 0,

    T, b and c from a grid, a and d by least squares: no starting point, nothing to converge. The
    end of the curve weighs most, both in the fits and in how much each law is believed. The
    asymptote is bounded: not below zero where no loss was, and not below the mean of the last
    quarter by more than twice what the curve fell from its first. A curve that does not fall is
    forecast to stay where it is, and so is one of fewer than 4 points.

    The width is the noise about the curve, growing with the distance, and the disagreement of
    the laws, times a quantile of Student's t with 2 degrees of freedom. It is calibrated for
    a loss of the kind that was given: a smooth validation loss or the noisy one of a batch. What
    the curve cannot know, a rate that is about to fall say, it does not cover.

    Args:
        steps: Where the losses were seen, strictly rising.
        losses: At least 2, all finite.
        horizon: The step to forecast for, not before the last.
        level: The share of cases in which the interval holds the loss.

    Raises:
        ConfigError: If an argument is not as described.
    """
    x, y = np.asarray(steps, dtype=np.float64), np.asarray(losses, dtype=np.float64)
    _check(x, y, horizon, level)
    ahead = float((horizon - x[-1]) / (x[-1] - x[0]))
    unit = float(np.abs(y).max()) or 1.0
    curve = _Curve.of((x - x[0]) / (x[-1] - x[0]), y / unit)
    loss, noise, disagreement = curve.extrapolate(1.0 + ahead)
    variance = (_NOISE + _GROWTH * math.log1p(ahead)) * noise**2 + _DISAGREEMENT * disagreement**2
    quantile = level * math.sqrt(2 / (1 - level**2))  # of Student's t, 2 degrees of freedom
    width = quantile * max(math.sqrt(variance), _RESOLUTION * abs(loss))
    low = max(loss - width, 0.0) if y.min() >= 0 else loss - width
    return Forecast(loss * unit, low * unit, (loss + width) * unit)


def _check(x: NDArray[np.float64], y: NDArray[np.float64], horizon: float, level: float) -> None:
    if y.ndim != 1 or y.size < 2:
        raise ConfigError.of("losses", y.tolist(), "a list of at least 2")
    if not np.isfinite(y).all():
        raise ConfigError.of("losses", float(y[~np.isfinite(y)][0]), "finite")
    if x.shape != y.shape:
        raise ConfigError.of("steps", f"{x.size} for {y.size} losses", "as many as the losses")
    if not (np.isfinite(x).all() and (np.diff(x) > 0).all()):
        raise ConfigError.of("steps", x.tolist()[:10], "finite and strictly rising")
    if not x[-1] <= horizon < math.inf:
        raise ConfigError.of("horizon", horizon, f"a step not before the last, {x[-1]:g}")
    if not 0 < level < 1:
        raise ConfigError.of("level", level, "between 0 and 1")


@dataclass(frozen=True, slots=True, eq=False)
class _Curve:
    """A curve as it is fitted.

    Attributes:
        t: Where, in units of the steps seen; (n,).
        losses: The points, or the means of blocks of them; (n,).
        within: Variance of the losses in each block; (n,).
        end: Mean of the last quarter of the points.
        floor: The lowest asymptote that they support.
    """

    t: NDArray[np.float64]
    losses: NDArray[np.float64]
    within: NDArray[np.float64]
    end: float
    floor: float

    @classmethod
    def of(cls, t: NDArray[np.float64], losses: NDArray[np.float64]) -> "_Curve":
        quarter = max(1, losses.size // 4)
        start, end = float(losses[:quarter].mean()), float(losses[-quarter:].mean())
        floor = end - _DEEPEST * max(0.0, start - end)
        if losses.min() >= 0:
            floor = max(floor, 0.0)
        cuts = np.linspace(0, losses.size, min(losses.size, _BLOCKS) + 1).astype(int)
        sizes = np.diff(cuts)
        means = np.add.reduceat(losses, cuts[:-1]) / sizes
        centred = (losses - np.repeat(means, sizes)) ** 2
        within = np.add.reduceat(centred, cuts[:-1]) / sizes
        return cls(np.add.reduceat(t, cuts[:-1]) / sizes, means, within, end, floor)

    def extrapolate(self, to: float) -> tuple[float, float, float]:
        """Return the loss at ``to``, the noise about the curve, and the laws' disagreement."""
        count, spread = self.losses.size, float(np.ptp(self.losses))
        if count < _FEWEST or spread == 0:
            scatter = ((self.losses - self.end) ** 2 + self.within).mean()
            return self.end, math.sqrt(float(scatter)), 0.0
        weights = np.arange(1.0, count + 1) ** _RECENCY
        weights /= weights.sum()
        size = float(1 / (weights**2).sum())  # so many points of equal weight say as much
        laws = _laws(np.append(self.t, to))
        a, d = _least_squares(laws[:, :-1], self.losses, weights, self.floor)
        fits = a[:, None] * laws + d[:, None]  # (laws, n + 1)
        errors = (fits[:, :-1] - self.losses) ** 2 @ weights
        errors += (1e-4 * spread) ** 2  # laws that miss by less are equally good
        belief = (errors.min() / errors) ** size
        belief /= belief.sum()
        curve = belief @ fits
        disagreement = math.sqrt(float(belief @ (fits[:, -1] - curve[-1]) ** 2))
        scatter = ((self.losses - curve[:-1]) ** 2 + self.within) @ weights
        freedom = max(size - 1.75, 0.25)  # a fit takes nearly two points; never all of them
        return float(curve[-1]), math.sqrt(float(scatter) * size / freedom), disagreement


def _laws(t: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the falling laws at ``t``, each 1 at 0; (laws, n)."""
    exponentials = np.exp(-t / _DECAY_TIMES[:, None])
    powers = (1 + t / _OFFSETS[:, None]) ** -_EXPONENTS[:, None]
    return np.concatenate([exponentials, powers])


def _least_squares(
    laws: NDArray[np.float64],
    losses: NDArray[np.float64],
    weights: NDArray[np.float64],
    floor: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the a >= 0 and d >= floor with which ``a law + d`` is nearest to the losses."""
    mean, centre = laws @ weights, float(losses @ weights)
    centred = laws - mean[:, None]
    a = np.maximum(centred @ (weights * (losses - centre)) / (centred**2 @ weights), 0.0)
    d = centre - a * mean
    bound = np.maximum(laws @ (weights * (losses - floor)) / (laws**2 @ weights), 0.0)
    return np.where(d < floor, bound, a), np.maximum(d, floor)

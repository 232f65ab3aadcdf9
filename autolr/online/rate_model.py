"""Which rate AutoLRS tries next: forecasts of probes, and a Gaussian process over them."""

import math
import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from autolr.online.peaks import PeakRange
from autolr.online.probe_forecast import ProbeForecast

_RATES = 65  # at which the confidence bound is compared: 9 % apart in a range of a factor of 256

_DIVERGED = 1e100  # a loss as high as infinity: the squares of lower ones are numbers


def next_rate(
    peak_range: PeakRange,
    trials: Sequence[ProbeForecast],
    kappa: float,
    present: float | None = None,
) -> float:
    """Return the rate to try next: the one with the lowest confidence bound.

    The first three are the middle of the range and its ends, because a process without data
    prefers none. A probe that diverged counts as a little worse than the worst other.

    Args:
        peak_range: The rates to choose from, with ends that differ where ``present`` is given.
        trials: The probes of the stage so far.
        kappa: Standard deviations of the confidence bound below the mean.
        present: The rate of the run beside which the probes are trained. It is known to be 0 above
            itself, and not tried.
    """
    low, high = peak_range.low, peak_range.high
    seeds = [
        rate for rate in (math.sqrt(low * high), low, high) if _apart(rate, present, low, high)
    ]
    if len(trials) < len(seeds):
        return seeds[len(trials)]
    known = () if present is None else (ProbeForecast(present, 0.0),)
    mean, deviation = _posterior(peak_range, [*known, *trials])
    grid = np.geomspace(low, high, _RATES)
    bounds = zip((mean - kappa * deviation).tolist(), grid.tolist(), strict=True)
    lowest = min(bound for bound in bounds if _apart(bound[1], present, low, high))
    return float(lowest[1])


def _apart(rate: float, present: float | None, low: float, high: float) -> bool:
    """Return whether a rate is not that of the run: half a step of the grid away at least."""
    if present is None:
        return True
    return abs(math.log(rate / present)) > 0.4999 * math.log(high / low) / (_RATES - 1)


def _posterior(
    peak_range: PeakRange, trials: Sequence[ProbeForecast]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and standard deviation of the forecast loss over the grid of rates."""
    # here: scikit-learn takes longer to import than all of autolr's core
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    forecasts = np.clip([trial.forecast for trial in trials], -_DIVERGED, _DIVERGED)
    finite = forecasts[forecasts < _DIVERGED].tolist() or [0.0]
    worst = max(finite) + 0.1 * (max(finite) - min(finite))
    losses = np.minimum(forecasts, worst)
    width = math.log(peak_range.high / peak_range.low) or 1.0
    places = [[math.log(trial.rate / peak_range.low) / width] for trial in trials]  # in [0, 1]
    matern = Matern(length_scale=0.3, length_scale_bounds=(0.05, 2.0), nu=2.5)
    noise = WhiteKernel(0.1, (1e-4, 1.0))  # in variances of the losses
    process = GaussianProcessRegressor(
        ConstantKernel(1.0, (0.1, 10.0)) * matern + noise, normalize_y=True
    )
    with warnings.catch_warnings():  # a length at its bound is as good as any
        warnings.simplefilter("ignore", ConvergenceWarning)
        process.fit(np.array(places), losses)
    mean, deviation = process.predict(np.linspace(0.0, 1.0, _RATES).reshape(-1, 1), return_std=True)
    return mean, deviation

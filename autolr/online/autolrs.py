"""AutoLRS: stages at a constant rate, each searched by short probes and a Gaussian process."""

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from autolr import schedules
from autolr.candidate import Candidate
from autolr.errors import ConfigError
from autolr.online.events import Commit, ProbeScore, Train
from autolr.online.peaks import PeakRange
from autolr.online.strategy import Observation, RunInfo
from autolr.rules.fixed import OWN

_DECAY_TIMES = np.geomspace(0.1, 10.0, 256)  # tried in a fit, as multiples of the probe's length
_PUBLISHED_FIRST = 1000  # steps of the first stage
_RATES = 65  # at which the confidence bound is compared, evenly spaced in log rate


@dataclass(frozen=True, slots=True)
class ProbeForecast:
    """What a probe came to.

    Attributes:
        rate: Its constant rate.
        forecast: The loss forecast for the end of its stage; infinite when it diverged.
    """

    rate: float
    forecast: float

    def to_list(self) -> list[Any]:
        """Return plain JSON values, which know no infinity; `from_list` takes them back."""
        return [self.rate, repr(self.forecast)]

    @classmethod
    def from_list(cls, values: Sequence[Any]) -> Self:
        """Return the forecast that `to_list` described."""
        return cls(values[0], float(values[1]))


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of the run that is over: its steps, and the probes that chose its rate."""

    steps: int
    trials: tuple[ProbeForecast, ...]

    @property
    def best(self) -> ProbeForecast:
        """The probe that was chosen: the lowest forecast, of equals the lowest rate."""
        return min(self.trials, key=lambda trial: (trial.forecast, trial.rate))

    @property
    def rate(self) -> float:
        """The rate of the stage."""
        return self.best.rate


@dataclass(frozen=True, slots=True)
class Stages:
    """A run by `AutoLRS` under way. Nothing is changed, the next state is returned.

    Attributes:
        settings: Of the strategy.
        peak_range: The rates to choose from.
        lengths: Steps of the stages that are not over, the one at hand first.
        trials: Probes of the stage at hand.
        done: The stages that are over.
    """

    settings: "AutoLRS"
    peak_range: PeakRange
    lengths: tuple[int, ...]
    trials: tuple[ProbeForecast, ...] = ()
    done: tuple[Stage, ...] = ()

    @property
    def action(self) -> Train | Commit:
        """What must be done next: the probes of a stage, the stage, and so on to the last."""
        if not self.lengths:
            return self._commit()
        if len(self.trials) < self.settings.probes:
            steps = max(1, round(self.lengths[0] / self.settings.probes))
            rate = next_rate(self.peak_range, self.trials, self.settings.kappa)
            return Train(_at(rate), steps, rewind=True)
        return Train(_at(Stage(self.lengths[0], self.trials).rate), self.lengths[0])

    def observe(self, observation: Observation) -> "Stages":
        """Take in the training losses of a probe, or continue with the next stage."""
        action = self.action
        if isinstance(action, Commit):
            return self
        if not action.rewind:
            stage = Stage(action.steps, self.trials)
            return replace(self, lengths=self.lengths[1:], trials=(), done=(*self.done, stage))
        end = forecast(observation.losses, self.lengths[0] - action.steps)
        rate = action.run.peak
        assert rate is not None
        return replace(self, trials=(*self.trials, ProbeForecast(rate, end)))

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values; `AutoLRS.state_from_dict` takes them back."""
        return {
            "peak_range": asdict(self.peak_range),
            "lengths": list(self.lengths),
            "trials": [trial.to_list() for trial in self.trials],
            "done": [[one.steps, [trial.to_list() for trial in one.trials]] for one in self.done],
        }

    def _commit(self) -> Commit:
        """Return the run as it was made: its highest rate as the peak, the forecasts as scores."""
        peak = max(stage.rate for stage in self.done)
        table = [stage.rate / peak for stage in self.done for _ in range(stage.steps)]
        scores: list[ProbeScore] = []
        end = 0
        for stage in self.done:
            start, end = end, end + stage.steps
            for trial in stage.trials:
                kept = trial is stage.best
                scores.append(ProbeScore(_at(trial.rate), start, end, trial.forecast, kept))
        run = Candidate(peak=peak, schedule=schedules.tabulated(table))
        return Commit(run, tuple(scores))


def _at(rate: float) -> Candidate:
    return Candidate(peak=rate, schedule=schedules.constant())


@dataclass(frozen=True, slots=True)
class AutoLRS:
    """The published AutoLRS, to compare with: it costs as many steps again as the run.

    The run is cut into stages of tau steps at a constant rate. Each is searched, from the state in
    which it begins, by ``probes`` probes of tau / ``probes`` steps: the rate at which a Gaussian
    process over the log rate has its lowest confidence bound is tried, its loss after tau steps
    forecast, the process told. The rate with the lowest forecast trains the stage.

    Published are tau = 1000, doubling up to 8000, and 10 probes, in runs of about 10,000 to
    150,000 steps. Cut in that proportion a run of 1,000 steps would have probes of 1 to 8 steps,
    and a probe under some tens of steps tells nothing. So the first stage is an eighth of the
    run, or the published 1000 where that is less: with the doubling 1/8, 1/4, 1/2 and the last 1/8.

    Other than published or released, and why:

    * A forecast is bounded, see `forecast`.
    * Losses are fitted as they are; the release fits a spline through them first.
    * ``kappa`` is the customary 2. The release's 1e6 makes the search a grid over the peak_range.

    As published, a probe takes the batches that come next, and neither the data's position nor the
    generators are put back: the probes of a stage are not paired.

    Args:
        probes: How many rates are tried in a stage.
        first: Steps of the first stage; None for an eighth of the run, at most 1000.
        growth: By how much each stage is longer than the one before, up to 8 times the first.
        kappa: How many standard deviations the confidence bound lies under the mean.

    Raises:
        ConfigError: If a value is out of its range.

    Source: Jin et al. 2021, "AutoLRS: Automatic Learning-Rate Schedule by Bayesian Optimization on
    the Fly", arXiv:2105.10762, algorithm 1.
    """

    probes: int = 10
    first: int | None = None
    growth: float = 2.0
    kappa: float = 2.0

    budget: ClassVar[float] = math.inf  # its probes take as long as their stage
    rewinds: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.probes < 1:
            raise ConfigError.of("probes", self.probes, "at least 1")
        if self.first is not None and self.first < 1:
            raise ConfigError.of("first", self.first, "at least 1")
        if not 1 <= self.growth < math.inf:
            raise ConfigError.of("growth", self.growth, "at least 1")
        if not 0 <= self.kappa < math.inf:
            raise ConfigError.of("kappa", self.kappa, "at least 0")

    def begin(self, run: RunInfo) -> Stages:
        """Return the state in which a run begins.

        Raises:
            ConfigError: If there is more to choose from than rates.
        """
        rules = tuple(entry.rule for entry in run.entries if entry.rule != OWN)
        given = {"schedule": run.schedule, "candidates": run.profiles or rules or None}
        for name, value in given.items():
            if value is not None:
                raise ConfigError.of(name, value, "None: AutoLRS searches rates only")
        total_steps = run.total_steps
        first = self.first or min(_PUBLISHED_FIRST, max(1, total_steps // 8))
        lengths: list[int] = []
        while (left := total_steps - sum(lengths)) > 0:
            wished = round(first * min(self.growth ** len(lengths), 8.0))
            lengths.append(min(wished, left))
        return Stages(self, run.peaks, tuple(lengths))

    def state_from_dict(self, values: Mapping[str, Any]) -> Stages:
        """Return the state that `Stages.to_dict` described."""
        done = [Stage(steps, _trials(trials)) for steps, trials in values["done"]]
        lengths, peaks = tuple(values["lengths"]), PeakRange(**values["peak_range"])
        return Stages(self, peaks, lengths, _trials(values["trials"]), tuple(done))


def _trials(values: Sequence[Sequence[Any]]) -> tuple[ProbeForecast, ...]:
    return tuple(map(ProbeForecast.from_list, values))


def forecast(losses: Sequence[float], ahead: int) -> float:
    """Return the loss that a probe would come to ``ahead`` steps after its last one.

        loss(t) = a exp(-t / d) + c, least squares; d from a grid of 0.1 to 10 probe lengths

    The fit has no starting point and cannot fail. It is *bounded*: from a short noisy probe the
    published fit extrapolates ten times its length, a loss below zero now and then, and the most
    absurd forecast wins the stage. Here no loss is forecast to fall further after the probe than
    the fitted curve fell within it, which a decay time of up to 1.4 probe lengths does not reach.

    Args:
        losses: Of successive steps.
        ahead: How many steps after the last one.

    Returns:
        The forecast; infinite if a loss is not finite, or there is none; the last loss of fewer
        than three.

    Source: Jin et al. 2021, arXiv:2105.10762, the exponential model of the loss. The bound is ours.
    """
    if not losses or not all(map(math.isfinite, losses)):
        return math.inf
    count = len(losses)
    if count < 3:
        return float(losses[-1])
    t, values = np.arange(count), np.asarray(losses, dtype=np.float64)
    decays = np.exp(-t / (count * _DECAY_TIMES[:, None]))  # (times, count)
    centred = decays - decays.mean(axis=1, keepdims=True)
    slopes = centred @ values / (centred**2).sum(axis=1)
    fits = values.mean() + slopes[:, None] * centred
    best = int(((fits - values) ** 2).sum(axis=1).argmin())
    decay_time, a = float(count * _DECAY_TIMES[best]), float(slopes[best])
    c = float(values.mean() - a * decays[best].mean())
    start, end = a + c, a * math.exp(-(count - 1) / decay_time) + c
    lowest = end - max(0.0, start - end)
    return max(lowest, a * math.exp(-(count - 1 + ahead) / decay_time) + c)


def next_rate(peak_range: PeakRange, trials: Sequence[ProbeForecast], kappa: float) -> float:
    """Return the rate to try next: the one with the lowest confidence bound.

    The first three are the middle of the peak_range and its ends, because a process that has seen
    nothing prefers none. A probe that diverged counts as a little worse than the worst other.
    """
    seeds = (math.sqrt(peak_range.low * peak_range.high), peak_range.low, peak_range.high)
    if len(trials) < len(seeds):
        return seeds[len(trials)]
    mean, deviation = _posterior(peak_range, trials)
    grid = np.geomspace(peak_range.low, peak_range.high, _RATES)
    return float(grid[int(np.argmin(mean - kappa * deviation))])


def _posterior(
    peak_range: PeakRange, trials: Sequence[ProbeForecast]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and standard deviation of the forecast loss over the grid of rates."""
    # here: scikit-learn takes longer to import than all of autolr's core
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    finite = [trial.forecast for trial in trials if math.isfinite(trial.forecast)] or [0.0]
    worst = max(finite) + 0.1 * (max(finite) - min(finite))
    losses = [min(trial.forecast, worst) for trial in trials]
    width = math.log(peak_range.high / peak_range.low) or 1.0
    places = [[math.log(trial.rate / peak_range.low) / width] for trial in trials]  # in [0, 1]
    matern = Matern(length_scale=0.3, length_scale_bounds=(0.05, 2.0), nu=2.5)
    noise = WhiteKernel(0.1, (1e-4, 1.0))  # in variances of the losses
    process = GaussianProcessRegressor(
        ConstantKernel(1.0, (0.1, 10.0)) * matern + noise, normalize_y=True
    )
    with warnings.catch_warnings():  # a length at its bound is as good as any
        warnings.simplefilter("ignore", ConvergenceWarning)
        process.fit(np.array(places), np.array(losses))
    mean, deviation = process.predict(np.linspace(0.0, 1.0, _RATES).reshape(-1, 1), return_std=True)
    return mean, deviation

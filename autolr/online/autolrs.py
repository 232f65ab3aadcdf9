"""AutoLRS: stages at a constant rate, each searched by short probes and a Gaussian process."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar, Self

from autolr import schedules
from autolr.candidate import Candidate
from autolr.errors import ConfigError
from autolr.online.actions import Commit, Train
from autolr.online.autolrs_live import LiveStages
from autolr.online.observation import Observation
from autolr.online.peaks import PeakRange
from autolr.online.probe_forecast import ProbeForecast, best_of, forecast
from autolr.online.rate_model import next_rate
from autolr.online.records import ProbeScore
from autolr.online.run_info import RunInfo
from autolr.rules.fixed import OWN

_PUBLISHED_FIRST = 1000  # steps of the first stage, in the paper


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of the run that is over.

    Attributes:
        steps: Its length.
        trials: The probes that chose its rate; none once nothing can be compared.
        rate: Its rate.
    """

    steps: int
    trials: tuple[ProbeForecast, ...]
    rate: float

    def to_list(self) -> list[Any]:
        """Return plain JSON values; `from_list` takes them back."""
        return [self.steps, self.rate, [trial.to_list() for trial in self.trials]]

    @classmethod
    def from_list(cls, values: Sequence[Any]) -> Self:
        """Return the stage that `to_list` described."""
        steps, rate, trials = values
        return cls(steps, _trials(trials), rate)


@dataclass(frozen=True, slots=True)
class Stages:
    """A run by `AutoLRS` that is rewound, under way. Nothing is changed, the next is returned.

    Attributes:
        settings: Of the strategy.
        peak_range: The rates to choose from.
        lengths: Steps of the stages that are not over, the one at hand first.
        own: The rate of the run when nothing can be compared.
        trials: Probes of the stage at hand.
        done: The stages that are over.
    """

    settings: "AutoLRS"
    peak_range: PeakRange
    lengths: tuple[int, ...]
    own: float
    trials: tuple[ProbeForecast, ...] = ()
    done: tuple[Stage, ...] = ()

    @property
    def blind(self) -> bool:
        """Whether nothing could be compared: no probe of the first stage has a finite forecast."""
        first = self.done[0].trials if self.done else self.trials
        ended = bool(self.done) or len(first) == self.settings.probes
        return ended and len(first) > 1 and not any(math.isfinite(t.forecast) for t in first)

    @property
    def action(self) -> Train | Commit:
        """What must be done next: the probes of a stage, the stage, and so on to the last."""
        if not self.lengths:
            return self._commit()
        if self.blind:
            return Train(_at(self.own), self.lengths[0])
        if len(self.trials) < self.settings.probes:
            steps = max(1, round(self.lengths[0] / self.settings.probes))
            rate = next_rate(self.peak_range, self.trials, self.settings.kappa)
            return Train(_at(rate), steps, rewind=True)
        return Train(_at(best_of(self.trials).rate), self.lengths[0])

    def observe(self, observation: Observation) -> "Stages":
        """Take in the training losses of a probe, or continue with the next stage."""
        action = self.action
        if isinstance(action, Commit):
            return self
        if not action.rewind:
            assert action.run.peak is not None
            stage = Stage(action.steps, self.trials, action.run.peak)
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
            "own": self.own,
            "trials": [trial.to_list() for trial in self.trials],
            "done": [one.to_list() for one in self.done],
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
                kept = not self.blind and trial is best_of(stage.trials)
                run = _at(trial.rate)
                scores.append(ProbeScore(run, start, end, trial.forecast, kept, forecast=True))
        run = Candidate(peak=peak, schedule=schedules.tabulated(table))
        return Commit(run, tuple(scores))


def _at(rate: float) -> Candidate:
    return Candidate(peak=rate, schedule=schedules.constant())


@dataclass(frozen=True, slots=True)
class AutoLRS:
    """The published AutoLRS, to compare with: it costs about as many steps again as the run.

    The run is cut into stages of tau steps at a constant rate. Each is searched, from the state in
    which it begins, by ``probes`` probes of tau / ``probes`` steps: the rate at which a Gaussian
    process over the log rate has its lowest confidence bound is tried, and the process is fitted to
    the forecast of its loss after tau steps. The rate with the lowest forecast trains the stage.

    Published are tau = 1000, doubling up to 8000, and 10 probes, in runs of about 10,000 to
    150,000 steps. Cut in that proportion a run of 1,000 steps would have probes of 1 to 8 steps,
    and a probe under some tens of steps says nothing. So the first stage is an eighth of the
    run, or the published 1000 where that is less: with the doubling 1/8, 1/4, 1/2 and the last 1/8.

    Other than published or released, and why:

    * A forecast is bounded, see `forecast`.
    * Losses are fitted as they are; the release fits a spline through them first.
    * ``kappa`` is the customary 2. The release's 1e6 makes the search a grid over the range.

    As published, a probe takes the batches that come next, and neither the data's position nor the
    generators are put back: the probes of a stage are not paired.

    A Trainer cannot be rewound: there the probes are rivals of the run, see `LiveStages`, which
    says what else differs.

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

    def begin(self, run: RunInfo) -> "Stages | LiveStages":
        """Return the state in which a run begins: `Stages` if it can be rewound.

        Raises:
            ConfigError: If there is more to choose from than rates.
        """
        rules = tuple(entry.rule for entry in run.entries if entry.rule != OWN)
        flat = run.schedule == schedules.constant()  # or that of a module with its own scheduler
        schedule = None if flat else run.schedule
        given = {"schedule": schedule, "candidates": run.profiles or rules or None}
        for name, value in given.items():
            if value is not None:
                raise ConfigError.of(name, value, "None: AutoLRS searches rates only")
        lengths = self._lengths(run.deadline)
        if run.rewindable:
            return Stages(self, run.peaks, lengths, run.fallback[1])
        return LiveStages.begin(run.peaks, lengths, self.probes, self.kappa, run.own.peak)

    def state_from_dict(self, values: Mapping[str, Any]) -> "Stages | LiveStages":
        """Return the state that ``to_dict`` of one of them described."""
        if "history" in values:
            return LiveStages.from_dict(values, self.probes, self.kappa)
        done = tuple(map(Stage.from_list, values["done"]))
        lengths, peaks = tuple(values["lengths"]), PeakRange(**values["peak_range"])
        return Stages(self, peaks, lengths, values["own"], _trials(values["trials"]), done)

    def _lengths(self, total_steps: int) -> tuple[int, ...]:
        """Return the steps of each stage."""
        first = self.first or min(_PUBLISHED_FIRST, max(1, total_steps // 8))
        lengths: list[int] = []
        while (left := total_steps - sum(lengths)) > 0:
            wished = round(first * min(self.growth ** len(lengths), 8.0))
            lengths.append(min(wished, left))
        return tuple(lengths)


def _trials(values: Sequence[Sequence[Any]]) -> tuple[ProbeForecast, ...]:
    return tuple(map(ProbeForecast.from_list, values))

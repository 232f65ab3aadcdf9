"""AutoLRS in a run that only goes forward: its probes are rivals of the run."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import accumulate
from typing import Any, Self

from autolr import schedules
from autolr.candidate import Candidate
from autolr.online.actions import Commit, Probe
from autolr.online.observation import Observation
from autolr.online.peaks import PeakRange
from autolr.online.probe_forecast import ProbeForecast, best_of
from autolr.online.rate_model import next_rate

_FEWEST = 4  # steps of a probe: its first loss is the run's own, and a fit takes three more


@dataclass(frozen=True, slots=True)
class LiveStages:
    """A run by `AutoLRS` that is not rewound, under way. Nothing is changed, the next is returned.

    The run has the published stages, each at a constant rate. Beside it, on the same batches, one
    probe after the other is born from the run's present state and trained at another rate. The rate
    with the lowest forecast trains the next stage; only the rate changes, the run keeps its state.

    Other than published, as nothing is rewound:

    * A stage searches the rate of the next one. The first stage has the middle of the range, and
      beside the last one nothing is searched. So the price is the probes of all stages but the
      last: 1.875 runs with the stages of 1/8, 1/4, 1/2 and 1/8.
    * The probes of a stage begin at different steps, and from a run that learns. So a forecast
      counts by what it is above that of the run itself, from the same steps and batches: the run
      is one more probe, of its present rate, which costs nothing and is kept where no other is
      lower. The probes are paired.
    * A probe has at least 4 steps: in a short stage there are fewer of them.
    * Losses are forecast for a probe as long as the next stage, whose rate they decide.
    * Where the run itself diverges its probe replaces it, and the stage is searched anew.

    Attributes:
        peak_range: The rates to choose from; where its ends are equal the run is scored once.
        ends: Steps at which the stages end.
        probes: How many rates are tried in a stage, at most.
        kappa: See `AutoLRS`.
        history: The rates of the run: each with the step from which on it holds.
        stage: The stage at hand, from 0.
        start: Step at which its first probe began.
        next: Step at which the probe at hand begins.
        rate: The rate of the probe at hand; None: the run is alone.
        trials: Probes of the stage at hand.
    """

    peak_range: PeakRange
    ends: tuple[int, ...]
    probes: int
    kappa: float
    history: tuple[tuple[int, float], ...]
    stage: int = 0
    start: int = 0
    next: int = 0
    rate: float | None = None
    trials: tuple[ProbeForecast, ...] = ()

    @classmethod
    def begin(
        cls, peak_range: PeakRange, lengths: Sequence[int], probes: int, kappa: float
    ) -> Self:
        """Return the state in which a run begins.

        Args:
            peak_range: The rates to choose from.
            lengths: Steps of the stages.
            probes: See `LiveStages`.
            kappa: See `LiveStages`.
        """
        history = ((0, peak_range.prior),)
        return cls(peak_range, tuple(accumulate(lengths)), probes, kappa, history)._searching()

    @property
    def action(self) -> Probe | Commit:
        """What must be done next: a probe, and after those of the last stage but one the end."""
        run = _run(self.history)
        if self._is_last:
            return Commit(run)
        end = self.next + self._steps
        ahead = max(0, self.ends[self.stage + 1] - self.ends[self.stage] - self._steps)
        if self.rate is None:
            return Probe((run,), self.next, end, window=0, guarded=False, ahead=ahead)
        rival = _run(_changed(self.history, self.next, self.rate))
        return Probe((run, rival), self.next, end, window=0, ahead=ahead)

    def observe(self, observation: Observation) -> "LiveStages":
        """Take in the forecasts of the run and of a probe."""
        if self._is_last or observation.lost:
            return self
        if self.rate is None:
            return replace(self, stage=len(self.ends) - 1)
        after = replace(self, next=self.next + self._steps)
        if 0 in observation.diverged:  # the probe has replaced the run
            lost = ProbeForecast(self._present, math.inf)
            history = _changed(self.history, self.next, self.rate)
            return replace(after, history=history, start=after.next, trials=(lost,))._searching()
        trial = self._trial(observation)
        return replace(after, trials=(*self.trials, *trial))._searching()

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values; `AutoLRS.state_from_dict` takes them back."""
        return {
            "peak_range": asdict(self.peak_range),
            "ends": list(self.ends),
            "history": [list(change) for change in self.history],
            "stage": self.stage,
            "start": self.start,
            "next": self.next,
            "rate": self.rate,
            "trials": [trial.to_list() for trial in self.trials],
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], probes: int, kappa: float) -> Self:
        """Return the state that `to_dict` described.

        Args:
            values: What `to_dict` returned.
            probes: See `LiveStages`.
            kappa: See `LiveStages`.
        """
        return cls(
            PeakRange(**values["peak_range"]),
            tuple(values["ends"]),
            probes,
            kappa,
            tuple((step, rate) for step, rate in values["history"]),
            values["stage"],
            values["start"],
            values["next"],
            values["rate"],
            tuple(map(ProbeForecast.from_list, values["trials"])),
        )

    @property
    def _present(self) -> float:
        """The rate of the run."""
        return self.history[-1][1]

    @property
    def _is_last(self) -> bool:
        """Whether the last stage has begun, beside which nothing is searched."""
        return self.stage == len(self.ends) - 1

    @property
    def _steps(self) -> int:
        """Steps of each probe of the stage."""
        return max(_FEWEST, (self.ends[self.stage] - self.start) // self.probes)

    @property
    def _fits(self) -> bool:
        """Whether the stage has another probe."""
        made = (self.next - self.start) // self._steps
        return made < self.probes and self.next + self._steps <= self.ends[self.stage]

    def _searching(self) -> Self:
        """Return the state with the next probe, of this stage or of one to come."""
        state = self
        while not state._is_last and not state._fits:
            state = state._next_stage()
        low, high = self.peak_range.low, self.peak_range.high
        if state._is_last or math.isclose(low, high):
            return replace(state, rate=None)
        rate = next_rate(self.peak_range, state.trials, self.kappa, state._present)
        return replace(state, rate=rate)

    def _next_stage(self) -> Self:
        """Return the state as the next stage begins, at the best rate of this one."""
        end = self.ends[self.stage]
        best = best_of(self.trials) if self.trials else None
        better = best is not None and best.forecast < 0
        history = _changed(self.history, end, best.rate) if best and better else self.history
        return replace(self, history=history, stage=self.stage + 1, start=end, next=end, trials=())

    def _trial(self, observation: Observation) -> list[ProbeForecast]:
        """Return what the probe at hand says of its rate; nothing where it could not be trained."""
        assert self.rate is not None
        if 1 in observation.ended:
            return []
        run, rival = observation.scores
        above = math.inf if 1 in observation.diverged else rival - run
        return [] if math.isnan(above) else [ProbeForecast(self.rate, above)]


def _changed(
    history: tuple[tuple[int, float], ...], step: int, rate: float
) -> tuple[tuple[int, float], ...]:
    """Return the rates of a run that has another one from a step on."""
    return (*(change for change in history if change[0] < step), (step, rate))


def _run(history: Sequence[tuple[int, float]]) -> Candidate:
    """Return the candidate with these rates: its peak is the highest of them."""
    peak = max(rate for _, rate in history)
    parts, level = [], 1.0
    for index, (step, rate) in enumerate(history):
        part = schedules.constant() * (rate / peak / level)  # parts follow the level before them
        level = rate / peak
        parts.append(part if step == history[-1][0] else part.over(history[index + 1][0] - step))
    schedule = schedules.constant() if len(parts) == 1 else parts[0]
    for part in parts[1:]:
        schedule = schedule | part
    return Candidate(peak=peak, schedule=schedule)

"""AutoLRS in a run that only goes forward: its probes are rivals of the run."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import accumulate
from typing import Any, Self

from autolr.online.actions import Commit, Probe, Rollback, Save
from autolr.online.observation import Observation
from autolr.online.peaks import PeakRange
from autolr.online.probe_forecast import ProbeForecast, best_of
from autolr.online.rate_history import RateHistory, changed, run_of
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
    * Where the run itself diverges its probe replaces it. Where both do, the run goes back to the
      state in which its stage began, at half its rate, or half of the one before where that is
      lower. The rest of the stage is searched anew. The last stage is watched likewise.

    Attributes:
        peak_range: The rates to choose from; where its ends are equal the run is scored once.
        ends: Steps at which the stages end.
        probes: How many rates are tried in a stage, at most.
        kappa: See `AutoLRS`.
        history: The rates of the run: each with the step from which on it holds.
        stage: The stage at hand, from 0; behind the last one the search is over.
        start: Step at which its first probe began.
        next: Step at which the probe at hand begins.
        rate: The rate of the probe at hand; None: the run is alone.
        trials: Probes of the stage at hand.
        pending: What has to be done first: "save", "rollback" or nothing.
        saved: Whether there is a state to go back to.
    """

    peak_range: PeakRange
    ends: tuple[int, ...]
    probes: int
    kappa: float
    history: RateHistory
    stage: int = 0
    start: int = 0
    next: int = 0
    rate: float | None = None
    trials: tuple[ProbeForecast, ...] = ()
    pending: str = ""
    saved: bool = False

    @classmethod
    def begin(
        cls,
        peak_range: PeakRange,
        lengths: Sequence[int],
        probes: int,
        kappa: float,
        own: float | None = None,
    ) -> Self:
        """Return the state in which a run begins.

        Args:
            peak_range: The rates to choose from.
            lengths: Steps of the stages.
            probes: See `LiveStages`.
            kappa: See `LiveStages`.
            own: The rate of a run that is too short for any probe; None: the middle of the range.
        """
        history = ((0, peak_range.prior),)
        state = cls(peak_range, tuple(accumulate(lengths)), probes, kappa, history)._searching()
        if state.rate is not None or state._is_single:
            return state
        kept = state.history if own is None else ((0, own),)
        return replace(state, stage=len(lengths), history=kept)

    @property
    def action(self) -> Probe | Save | Rollback | Commit:
        """What must be done next: probes, a copy of the run as a stage begins, at last the end."""
        run = run_of(self.history)
        if self.pending == "rollback":
            *_, (_, before), (_, after) = self.history
            return Rollback(run_of(self.history[:-1]), after / before)
        if self.pending or self._is_over:
            return Save(run) if self.pending else Commit(run)
        end, ahead = self.next + self._steps, self._ahead
        if self.rate is None:
            guarded = not self._is_single
            return Probe((run,), self.next, end, window=0, guarded=guarded, ahead=ahead)
        rival = run_of(changed(self.history, self.next, self.rate), self.rate)
        return Probe((run, rival), self.next, end, window=0, ahead=ahead)

    def observe(self, observation: Observation) -> "LiveStages":
        """Take in the forecasts of the run and of a probe, or that both have diverged."""
        if self.pending:
            return replace(self, pending="", saved=True)
        if self._is_over or self._is_single:
            return replace(self, stage=len(self.ends))
        if observation.lost:
            return self._rolled_back(observation.step)
        end = self.next + self._steps
        if self.rate is None:
            (score,) = observation.scores
            over = replace(self, next=end)._searching()
            return over._rolled_back(observation.step) if math.isinf(score) else over
        if 0 in observation.diverged:  # the probe has replaced the run
            return self._restarted(changed(self.history, self.next, self.rate), end, self._present)
        after = replace(self, next=end, trials=(*self.trials, *self._trial(observation)))
        after = after._searching()
        begins = after.stage > self.stage and not after._is_over
        return replace(after, pending="save" if begins else "")

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
            "pending": self.pending,
            "saved": self.saved,
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
            values["pending"],
            values["saved"],
        )

    @property
    def _present(self) -> float:
        """The rate of the run."""
        return self.history[-1][1]

    @property
    def _is_single(self) -> bool:
        """Whether there is one rate to choose from."""
        return math.isclose(self.peak_range.low, self.peak_range.high)

    @property
    def _is_last(self) -> bool:
        """Whether the last stage has begun, beside which nothing is searched."""
        return self.stage >= len(self.ends) - 1

    @property
    def _is_over(self) -> bool:
        return self.stage == len(self.ends)

    @property
    def _steps(self) -> int:
        """Steps of each probe of the stage, and of the last score of the run."""
        if self._is_last:
            return _FEWEST
        return max(_FEWEST, (self.ends[self.stage] - self.start) // self.probes)

    @property
    def _ahead(self) -> int:
        """How many steps behind a probe its loss is forecast."""
        if self._is_last:
            return 0
        return max(0, self.ends[self.stage + 1] - self.ends[self.stage] - self._steps)

    @property
    def _fits(self) -> bool:
        """Whether the stage has another probe."""
        made = (self.next - self.start) // self._steps
        within = self.next + self._steps <= self.ends[self.stage]
        return within and (self._is_last or made < self.probes)

    def _searching(self) -> Self:
        """Return the state with the next probe, of this stage or of one to come."""
        state = self
        while not state._is_over and not state._fits:
            state = state._next_stage()
        if state._is_last or self._is_single:
            return replace(state, rate=None)
        rate = next_rate(self.peak_range, state.trials, self.kappa, state._present)
        return replace(state, rate=rate)

    def _next_stage(self) -> Self:
        """Return the state as the next stage begins, at the best rate of this one."""
        end, stage = self.ends[self.stage], self.stage + 1
        best = best_of(self.trials) if self.trials else None
        better = best is not None and best.forecast < 0
        history = changed(self.history, end, best.rate) if best and better else self.history
        after = replace(self, history=history, stage=stage, start=end, next=end, trials=())
        if stage == len(self.ends) - 1:  # the run is alone, and scored as it ends
            after = replace(after, next=max(end, self.ends[stage] - _FEWEST))
        return after

    def _restarted(self, history: RateHistory, step: int, lost: float) -> Self:
        """Return the state that searches the rest of a stage anew, beside a run at another rate.

        Args:
            history: The rates of the run.
            step: Step at which the search continues.
            lost: The rate at which the run has diverged.
        """
        trials = (ProbeForecast(lost, math.inf),)
        after = replace(self, history=history, start=step, next=step, trials=trials)
        return after._searching()

    def _rolled_back(self, step: int) -> Self:
        """Return the state whose run goes back to where its stage began; itself if it cannot.

        Args:
            step: Steps that the run has made.
        """
        before = [rate for since, rate in self.history if since < step]
        rate = max(self.peak_range.low, min(before[-2:]) / 2)
        if not self.saved or rate >= before[-1]:
            return self
        history = changed(self.history, step, rate)
        after = self._restarted(history, max(step, self.next), before[-1])
        return replace(after, pending="rollback")

    def _trial(self, observation: Observation) -> list[ProbeForecast]:
        """Return what the probe at hand says of its rate; nothing where it could not be trained."""
        assert self.rate is not None
        if 1 in observation.ended:
            return []
        run, rival = observation.scores
        above = math.inf if 1 in observation.diverged else rival - run
        return [] if math.isnan(above) else [ProbeForecast(self.rate, above)]

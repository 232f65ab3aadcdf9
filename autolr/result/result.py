"""The result of an online search: its decisions, its price, and how to replay it."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autolr.candidate import Candidate
from autolr.online.actions import Commit
from autolr.online.forecast import Forecast
from autolr.online.monitor import Monitor
from autolr.online.prior_peak import MovedPeak
from autolr.online.records import (
    AveragedEnd,
    CopyRecord,
    ProbeScore,
    RollbackRecord,
    is_blind,
)
from autolr.online.run_forecast import expected_end
from autolr.online.scan import Scan
from autolr.result.summary import summary
from autolr.rules.fixed import OWN
from autolr.schedules import Schedule
from autolr.space import Value

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from autolr.online.progress import Progress


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of one online search.

    Attributes:
        peak: The chosen rate, of the optimizer's parameter group with the highest rate: the one at
            which the schedule's multiplier is 1. With a scheduler of the module's own, what its
            peak is multiplied to; `highest_rate` is lower where the rate was cut before that. None
            if no score was finite, so nothing could be compared: see `run_peak`.
        schedule: The schedule that the run followed, from its first step on.
        scores: Every probe's score, in the order in which they came.
        probe_steps: Optimizer steps made outside the run.
        total_steps: Optimizer steps of the run itself, the horizon of ``schedule``.
        validation_passes: Passes over the validation data that the search made.
        rollbacks: Every return of the run to an earlier state. The schedule holds the lower rates
            that followed; steps that a rollback discarded cannot be replayed, so the schedule gives
            another run from scratch, see `discarded_steps`.
        own_peak: The peak of the scheduler that the user's module has and the run followed; None
            where the run followed ``schedule``.
        forecast: The score expected at the end of the run, as it was known in the middle of it;
            lower is better, as for all scores. None if there were too few scores by then.
        monitor: What the scores are of.
        scan: The scan for the edge of divergence, where one was made. Its steps are among
            ``probe_steps``.
        rule: How the run sets the size of its steps; "fixed" is the user's own optimizer.
        rule_settings: Settings of the rule, as pairs.
        stopped_at: Steps after which the run ended by itself, before its schedule did: it was not
            annealed. None: it made all ``total_steps``, or its end is not known yet.
        kept_peak: The peak that the run kept where nothing could be compared.
        copy_bytes: The most bytes of copies at once: rivals, the state to go back to, averages.
        copies: Which copies ended or were not made, and why; from which step on there was no way
            back to an earlier state; or why the search ended before it was over.
        highest_rate: The highest rate of any step that the run was trained with, as the optimizer
            used it. None: it is not known.
        own_rates: Of several optimizers, each with the highest rate that it was given: all are
            multiplied by `factor`, and ``peak`` is what the highest of them becomes. Else empty.
        optimizer: The class name of the run's own optimizer, of several joined by " + "; None: it
            is not known.
        prior: The peak of an earlier search around which this one began, if it was given.
        averaged: The average of its last weights with which the run ended; None: it ended with the
            last ones. No schedule holds it: `AverageLastSteps` replays it.

    Replay it with plain torch: set the optimizer's rate to ``run_peak`` and use
    ``LambdaLR(optimizer, result.schedule.timed(result.total_steps))``. Where the module has a
    scheduler of its own, ``schedule`` says nothing of its shape, only what changed on the way: keep
    that scheduler, and use ``FollowCandidate(result.run_peak, result.schedule, result.own_peak)``,
    which multiplies its rates at every step. Where the schedule is constant, nothing changed: to
    multiply every rate that the module gives its scheduler and optimizer by ``factor`` is the
    same. For several optimizers multiply every rate by ``factor``, and give each that `LambdaLR`.
    Of another rule than "fixed" the optimizer is
    ``autolr.rules.in_place_of(optimizer, result.rule, **dict(result.rule_settings))``, in a Trainer
    ``ApplyRule(result.rule, dict(result.rule_settings))``.
    """

    peak: float | None
    schedule: Schedule
    scores: tuple[ProbeScore, ...] = field(repr=False)
    probe_steps: int
    total_steps: int
    validation_passes: int
    rollbacks: tuple[RollbackRecord, ...] = field(default=(), repr=False)
    own_peak: float | None = field(default=None, repr=False)
    forecast: Forecast | None = field(default=None, repr=False)
    monitor: Monitor = field(default_factory=Monitor)
    scan: Scan | None = field(default=None, repr=False)
    rule: str = OWN
    rule_settings: tuple[tuple[str, Value], ...] = field(default=(), repr=False)
    stopped_at: int | None = field(default=None, repr=False)
    kept_peak: float | None = field(default=None, repr=False)
    copy_bytes: int = field(default=0, repr=False)
    copies: tuple[CopyRecord, ...] = field(default=(), repr=False)
    highest_rate: float | None = field(default=None, repr=False)
    own_rates: tuple[tuple[str, float], ...] = field(default=(), repr=False)
    optimizer: str | None = field(default=None, repr=False)
    prior: MovedPeak | None = field(default=None, repr=False)
    averaged: AveragedEnd | None = field(default=None, repr=False)

    @classmethod
    def of(
        cls,
        search: "Progress",
        run: Candidate,
        total_steps: int,
        *,
        probe_steps: int,
        validation_passes: int,
        monitor: Monitor,
        copy_bytes: int = 0,
        highest_rate: float | None = None,
        optimizer: str | None = None,
    ) -> "Result":
        """Return the result of a search.

        Args:
            search: Its state.
            run: The candidate with which the run continues.
            total_steps: Optimizer steps of the run.
            probe_steps: Optimizer steps outside the run.
            validation_passes: Passes over the validation data for the search.
            monitor: What the scores are of.
            copy_bytes: The most bytes that copies of the run took at once.
            highest_rate: The highest rate of a step of the run so far.
            optimizer: See `Result`.
        """
        scores = search.scores
        if isinstance(search.action, Commit) and search.action.scores:
            scores = search.action.scores  # of a strategy that scores its probes itself
        blind = is_blind(scores) or (search.cut and not scores)
        return cls(
            peak=None if blind else run.peak,
            schedule=run.schedule,
            scores=scores,
            probe_steps=probe_steps,
            total_steps=total_steps,
            validation_passes=validation_passes,
            rollbacks=search.rollbacks,
            forecast=expected_end(search.scores, search.rollbacks, total_steps),
            monitor=monitor,
            scan=search.scan,
            rule=run.rule,
            rule_settings=run.rule_settings,
            kept_peak=run.peak if blind else None,
            copy_bytes=copy_bytes,
            copies=search.copies,
            highest_rate=highest_rate,
            optimizer=optimizer,
            prior=search.prior,
            averaged=search.action.averaged if isinstance(search.action, Commit) else None,
        )

    @property
    def compared(self) -> bool:
        """Whether there is a peak; otherwise no score of several candidates was finite."""
        return self.peak is not None

    @property
    def broken_off(self) -> CopyRecord | None:
        """Why the search ended before it was over, if it did."""
        return next((one for one in self.copies if one.ends_search), None)

    @property
    def run_peak(self) -> float:
        """The peak that the run followed: the chosen one, or the one that it kept."""
        peak = self.kept_peak if self.peak is None else self.peak
        assert peak is not None
        return peak

    @property
    def candidate(self) -> Candidate:
        """What the run followed."""
        return Candidate(self.rule, self.run_peak, self.schedule, rule_settings=self.rule_settings)

    @property
    def factor(self) -> float | None:
        """What to multiply the rates of the module's own scheduler, or of several optimizers, with.

        None for one optimizer without a scheduler, whose rate is ``run_peak``.
        """
        own = max((rate for _, rate in self.own_rates), default=None)
        own = own if self.own_peak is None else self.own_peak
        return None if own is None else self.run_peak / own

    @property
    def discarded_steps(self) -> int:
        """Steps of which rollbacks discarded what the run had learned."""
        return len(set[int]().union(*(range(one.to, one.step) for one in self.rollbacks)))

    def applying(self, rate: float) -> "Result":
        """Return the result after a step of the run with that rate.

        Args:
            rate: The highest rate of the groups in the step; NaN where it is not known.
        """
        if not rate > (self.highest_rate or 0.0):
            return self
        return replace(self, highest_rate=rate)

    @property
    def price(self) -> float:
        """All optimizer steps, search included, over those of the run."""
        made = self.stopped_at or self.total_steps
        return (made + self.probe_steps) / made

    @property
    def probes(self) -> "pd.DataFrame":
        """One row a score: peak, start, horizon (steps), rate, score (lower is better), kept, rule.

        ``rate`` is that of the step before the horizon. A scan that found an edge comes first: the
        rate of the edge, at horizon 0, with an infinite score.
        """
        from autolr.result.probes import probes_frame  # here: pandas takes long to import

        return probes_frame(self)

    def save(self, path: str | Path) -> None:
        """Write the result into the folder ``path``, made if missing.

        ``result.json`` is what `load_result` reads, ``probes.csv`` the table of scores, and
        ``result.html`` a page for people, which needs nothing else.

        Raises:
            StorageError: If the disk is full or read-only.
        """
        from autolr.result.files import write_result  # here: it imports this module

        write_result(self, Path(path))

    def plot(self) -> "Figure":
        """Return a figure of matplotlib: the rates that were compared, the run, and its rate.

        Raises:
            ConfigError: If matplotlib is not installed.
        """
        from autolr.result.plot import result_figure  # here: matplotlib is an extra

        return result_figure(self)

    def __str__(self) -> str:
        """Return peak, schedule, price, the score expected at the end, and rollbacks, as text."""
        return summary(self)

    def _repr_html_(self) -> str:
        """Return the page of `save` for a notebook, in a frame: its styles stay its own."""
        from autolr.result.page import framed_page  # here: most results are never drawn

        return framed_page(self)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values; `from_dict` takes them back."""
        from autolr.result.serialization import result_to_dict  # here: it imports this module

        return result_to_dict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Result":
        """Return the result that `to_dict` described."""
        from autolr.result.serialization import result_from_dict

        return result_from_dict(values)

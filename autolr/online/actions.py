"""The actions that a strategy answers with."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from autolr.candidate import Candidate
    from autolr.online.records import AveragedEnd, ProbeScore


@dataclass(frozen=True, slots=True)
class Probe:
    """Score these candidates at a step of the run.

    Attributes:
        candidates: Those to score. In the first probe the run begins as the one closest to the
            prior peak; in a later one it continues as the first, with that one's state if it was
            scored in the probe before. Every other begins as a copy of the run at ``start``.
        start: Step at which that happens.
        horizon: Step at which all are scored. Where it is ``start``, they are scored as they are
            then: no step is made.
        window: How many of the last steps before it are averaged for the score.
        annealed: Whether each is a copy of the run that follows all that its schedule has behind
            ``horizon`` from ``start`` on, shrunk, and is scored as it is and thrown away.
        guarded: Whether the losses are watched: a candidate whose loss is not finite is dropped,
            and when none is left the strategy is informed at once.
        settled: Whether no later probe changes the peak; the user then reads what it is.
        continues: Whether candidates that were scored in the probe before are trained on from
            where they were, beside the run: ``start`` is the horizon of that probe. Others are
            copies of the run.
        from_saved: Whether the first rival is a copy of the state of the last `Save`, not of the
            run: where it wins, the run is rolled back.
        factor: How many times as high the rate is after such a rollback; for the record.
        ahead: So many steps behind ``horizon`` the training loss of each is forecast, from its
            losses in the probe: the forecast is the score then. No weights are averaged, and
            nothing is validated. None: the score is the metric of the averaged weights.
        counts_inactive: Whether `Observation.inactive` is wanted; it waits for the device once for
            each candidate.
        waits: Whether it ends at once where the rate that other code writes, without a scheduler,
            is seen to rise beyond ``horizon``: see `Observation.rise`.
        closing: The windows of the `Close` to come: its averages may begin meanwhile.
        own: The candidate that is trained on from where the probe before has left it, though
            others are copies of the run.
    """

    candidates: tuple["Candidate", ...]
    start: int
    horizon: int
    window: int
    annealed: bool = False
    guarded: bool = True
    settled: bool = False
    continues: bool = False
    from_saved: bool = False
    factor: float = 1.0
    ahead: int | None = None
    counts_inactive: bool = False
    waits: bool = False
    closing: tuple[int, ...] = ()
    own: "Candidate | None" = None

    @property
    def run(self) -> "Candidate":
        """What the run continues as."""
        return self.candidates[0]

    def trains_on(self, candidate: "Candidate") -> bool:
        """Return whether a candidate of the probe before is trained on from where it is."""
        return candidate == self.own or (self.continues and candidate in self.candidates)

    @property
    def copied(self) -> "Candidate | None":
        """The rival that is a copy of the saved state."""
        return self.candidates[1] if self.from_saved else None


@dataclass(frozen=True, slots=True)
class Save:
    """Keep a copy of the run as it was just scored, for a later `Rollback`; it replaces the last.

    Attributes:
        run: The candidate of the probe that the run continues as.
    """

    run: "Candidate"


@dataclass(frozen=True, slots=True)
class Rollback:
    """Restore the state of the last `Save`.

    Attributes:
        run: The candidate that the run has trained until now. The next action holds the one that
            it continues as.
        factor: How many times as high the rate is from here on; for the record.
    """

    run: "Candidate"
    factor: float = 1.0


@dataclass(frozen=True, slots=True)
class Close:
    """Score the run after its last step: with its last weights, and with averages of them.

    Attributes:
        run: What the run continues as until then.
        windows: Over how many of the last steps the averages are.
    """

    run: "Candidate"
    windows: tuple[int, ...]

    @property
    def closing(self) -> tuple[int, ...]:
        """The windows, as `Probe` has them before."""
        return self.windows


@dataclass(frozen=True, slots=True)
class Train:
    """Train so many steps at a constant rate; only in a run that can be rewound.

    Attributes:
        run: The candidate whose peak is the rate.
        steps: Optimizer steps, on the batches that come next.
        rewind: Whether the run then goes back to the state in which they began; the batches are
            spent.
    """

    run: "Candidate"
    steps: int
    rewind: bool = False


@dataclass(frozen=True, slots=True)
class Commit:
    """Train this candidate to the end of the run: the search is over.

    Attributes:
        candidate: What the run continues as.
        scores: The scores of the probes where the strategy computes them itself, from the losses
            of `Train`; else `Progress` has recorded them.
        averaged: After a `Close`: the average that takes the place of the last weights; None: they
            stay.
    """

    candidate: "Candidate"
    scores: tuple["ProbeScore", ...] = ()
    averaged: "AveragedEnd | None" = None

    @property
    def run(self) -> "Candidate":
        """What the run continues as."""
        return self.candidate


Action: TypeAlias = Probe | Save | Rollback | Close | Train | Commit

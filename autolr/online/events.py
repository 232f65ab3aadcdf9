"""What a search asks for, and what has happened in it."""

from dataclasses import dataclass

from autolr.candidate import Candidate


@dataclass(frozen=True, slots=True)
class Probe:
    """Score these candidates at a step of the run.

    Attributes:
        candidates: Those to score. One without a run is born as a copy of the run at ``start``.
        start: Step at which that happens.
        horizon: Step at which all are scored.
        window: How many of the last steps before it are averaged for the score.
        annealed: Whether each is a copy of the run that follows all that its schedule has behind
            ``horizon`` from ``start`` on, shrunk, and is scored as it is and thrown away.
    """

    candidates: tuple[Candidate, ...]
    start: int
    horizon: int
    window: int
    annealed: bool = False


@dataclass(frozen=True, slots=True)
class Commit:
    """Go on with this candidate to the end of the run."""

    candidate: Candidate


@dataclass(frozen=True, slots=True)
class ProbeScore:
    """What one candidate came to.

    Attributes:
        candidate: Whose score it is.
        start: Step of the run at which it was born.
        horizon: Step of the run at which it was scored.
        score: Lower is better; infinite when it diverged.
        kept: Whether the run went on with it.
        annealed: Whether it is the score of an annealed copy, see `Probe`. Others of the run's are
            not compared with it.
    """

    candidate: Candidate
    start: int
    horizon: int
    score: float
    kept: bool
    annealed: bool = False

    def rate(self, total_steps: int) -> float:
        """Return the rate of the last step before the horizon, in a run of so many steps."""
        assert self.candidate.peak is not None
        return self.candidate.peak * self.candidate.schedule.at(self.horizon - 1, total_steps)


@dataclass(frozen=True, slots=True)
class RollbackRecord:
    """The run was put back to its best state, and went on at a lower rate.

    Attributes:
        step: Step of the run at which it happened.
        to: Step of the state that it was put back to; what was learned since then is the cost.
        factor: What the rate is multiplied with from there on.
        score: What the run had come to; infinite when its loss was not finite.
    """

    step: int
    to: int
    factor: float
    score: float

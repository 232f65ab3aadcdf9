"""The score that a run is expected to end with, by the scores that it has so far."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from autolr.online.forecast import Forecast, forecast_loss

if TYPE_CHECKING:
    from autolr.online.records import ProbeScore, RollbackRecord

_FEWEST_OF_SCORES = 4  # scores; a curve of fewer has no bend, and is forecast to stay where it is
_UNTIL = 0.6  # of the run: a later forecast says what is nearly there


def run_scores(
    scores: Sequence["ProbeScore"], rollbacks: Sequence["RollbackRecord"] = ()
) -> list[tuple[int, float]]:
    """Return the curve of a run: steps at which it was scored, and the scores it continued with.

    At a rollback that is the score of the restored state. Scores that are not finite are left out.

    Args:
        scores: All scores of the search, also those of rivals; lower is better.
        rollbacks: All rollbacks of the search.
    """
    to = {rollback.step: rollback.to for rollback in rollbacks}
    curve: dict[int, float] = {}
    for scored in scores:
        if scored.kept and not scored.annealed and not scored.forecast:
            curve[scored.horizon] = curve.get(to.get(scored.horizon, -1), scored.score)
    return [(step, score) for step, score in curve.items() if math.isfinite(score)]


def forecast_origin(curve: Sequence[tuple[int, float]], total_steps: int) -> int | None:
    """Return the step as of which the end of a run is forecast; None if that is too early.

    That is the run's last score in its first 60 %: under the default schedule, before the rate
    begins to fall.

    Args:
        curve: Steps and scores of the run, see `run_scores`.
        total_steps: Optimizer steps of the run.
    """
    steps = [step for step, _ in curve if step <= _UNTIL * total_steps]
    return steps[-1] if len(steps) >= _FEWEST_OF_SCORES else None


def expected_at(
    curve: Sequence[tuple[int, float]], total_steps: int, step: float
) -> Forecast | None:
    """Return the score expected at a step, by what is known at `forecast_origin`.

    Args:
        curve: Steps and scores of the run, see `run_scores`.
        total_steps: Optimizer steps of the run.
        step: Not before the origin.

    Returns:
        In units of the scores: lower is better. None as long as there are fewer than 4.
    """
    if (origin := forecast_origin(curve, total_steps)) is None:
        return None
    known = [(k, score) for k, score in curve if k <= origin]
    return forecast_loss([k for k, _ in known], [score for _, score in known], step)


def expected_end(
    scores: Sequence["ProbeScore"], rollbacks: Sequence["RollbackRecord"], total_steps: int
) -> Forecast | None:
    """Return the score expected at the end of a run, see `expected_at`.

    Args:
        scores: See `run_scores`.
        rollbacks: See `run_scores`.
        total_steps: Optimizer steps of the run.
    """
    return expected_at(run_scores(scores, rollbacks), total_steps, total_steps)

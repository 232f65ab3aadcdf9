"""The scores of a result as a table."""

import math
from typing import TYPE_CHECKING

import pandas as pd

from autolr.rules.fixed import OWN

if TYPE_CHECKING:
    from autolr.result.result import Result


def probes_frame(result: "Result") -> pd.DataFrame:
    """Return one row a score, see `Result.probes`."""
    columns = ["peak", "start", "horizon", "rate", "score", "kept", "rule"]
    rows = [
        (
            s.candidate.peak,
            s.start,
            s.horizon,
            s.rate(result.total_steps),
            s.score,
            s.kept,
            s.candidate.rule,
        )
        for s in result.scores
    ]
    if result.scan is not None and (edge := result.scan.edge) is not None:
        rows.insert(0, (edge, 0, 0, edge, math.inf, False, OWN))
    return pd.DataFrame(rows, columns=columns)

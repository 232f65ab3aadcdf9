"""Training the run of a config outside a study, once or with several seeds."""

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from typing_extensions import override

from autolr.candidate import Candidate
from autolr.config import OBJECTIVE, Config
from autolr.errors import ConfigError, DivergedError
from autolr.job import Decision, Judge, TrialJob
from autolr.objective.fitted import spread_line
from autolr.objective.function import CANDIDATE, FunctionObjective
from autolr.objective.run import fit

_FOLDER = Path("autolr_runs/fit")
_SEEDS = 2**32  # numpy's, and so Lightning's


class _Alone(Judge):
    """The judge of a run that belongs to no study."""

    @override
    def judge(self, step: int, score: float) -> Decision:
        """Continue."""
        return Decision.CONTINUE

    @override
    def remark(self, line: str) -> None:
        """Drop the line: nothing was saved by another run."""


def fit_lines(
    config: Config, out: Path | None, seeds: int = 1, known: str | None = None
) -> Iterator[str]:
    """Train the run of a config, and yield the lines that say what it came to.

    Args:
        config: The whole config; with a function, one that has a candidate.
        out: Where it writes; None: where the Trainer does by default, autolr_runs/fit for a
            function.
        seeds: Runs, one after another, with the config's seed and the following ones. If several,
            each writes to ``seed_S`` in ``out``, else in autolr_runs/fit, and a last line has the
            mean and the spread of the monitor.
        known: A score of such a run, in words, for the last line; None: there is none.

    Raises:
        ConfigError: If the config cannot work.
        UserCodeError: If the user's code raises; runs before that one stay.
        DivergedError: After all lines, if the monitor of a run is not finite at its end.
    """
    values: list[float | None] = []
    if seeds == 1:
        yield from _run(config, out, "", values)
    else:
        yield from _repeated(config, out, seeds, values)
    if values and known is not None:  # (a rank that is not the first has no values)
        yield f"to compare with: {known}"
    lost = [value for value in values if value is not None and not math.isfinite(value)]
    if lost:
        runs = "the run" if seeds == 1 else f"{len(lost)} of {seeds} runs"
        raise DivergedError(f"{runs} ended with a {config.tune.monitor} of {lost[0]}")


def _repeated(
    config: Config, out: Path | None, seeds: int, values: list[float | None]
) -> Iterator[str]:
    """Train the runs one after another, add their monitors to the values, and yield their lines."""
    for index in range(seeds):
        seeded = replace(config, seed=(config.seed + index) % _SEEDS)
        name = f"seed {seeded.seed}"
        yield from _run(seeded, (out or _FOLDER) / f"seed_{seeded.seed}", name, values)
    known = [value for value in values if value is not None and math.isfinite(value)]
    if len(known) == seeds:
        yield spread_line(config.tune.monitor, known)
    elif values:
        yield f"the mean is not known: a run has no finite {config.tune.monitor}"


def _run(config: Config, out: Path | None, name: str, values: list[float | None]) -> Iterator[str]:
    """Train one run, add its monitor to the values, and yield its lines."""
    if config.names_function:
        value = fit_function(config, out)
        values.append(value)
        yield f"{name}: {value:.6g}" if name else f"the function returned {value:.6g}"
        return
    fitted = fit(config, out, repeated=bool(name))
    if fitted is not None:
        values.append(fitted.metrics.get(config.tune.monitor))
        yield from fitted.lines(config.tune.monitor, name or "at the end")


def fit_function(config: Config, out: Path | None) -> float:
    """Call the function of a best.yaml with its candidate; return the final score.

    Args:
        config: With the candidate in its section ``objective:``.
        out: The trial's folder; None: autolr_runs/fit.

    Raises:
        ConfigError: If the config cannot work.
        UserCodeError: If the function raises.
    """
    section = config.fit[OBJECTIVE]
    if CANDIDATE not in section:
        raise ConfigError(
            f"autolr fit trains the {OBJECTIVE}.{CANDIDATE} of a best.yaml, and this config has "
            "none: autolr tune searches it"
        )
    objective = FunctionObjective(section, config.folder)
    candidate = Candidate.from_dict(section[CANDIDATE])
    folder = _FOLDER if out is None else out
    steps = section.get("max_steps", 1)
    job = TrialJob(config, candidate, folder, (), steps, trial=f"fit {candidate.id}")
    return objective.run(job, _Alone(), lambda: False).value

"""The files that a study writes: trials.csv, best.yaml, schedule.json."""

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from autolr.candidate import Candidate
from autolr.config import (
    BEST,
    CLI,
    MODULES,
    MONITOR,
    OBJECTIVE,
    OWN_CLI,
    Config,
    can_be_fitted,
    set_dotted,
)
from autolr.job import WEIGHTS
from autolr.report.statistics import unrepeated
from autolr.report.trials_file import trials_csv
from autolr.study import AVERAGED, OWN_PEAK, RUNS, SPREAD, TrialRecord, repeatable

_HEADER = """\
{best}study {study} (trial {number}, {monitor} {value:.6g}{seeds}).
{use}
{monitor_line}{monitor}
{modules_line}{modules}
{cli}"""
_USE = (
    "# Train it with `autolr fit {file}`, or with LightningCLI: `python your_cli.py fit -c {file}`."
)
_USE_OF_OBJECTIVE = "# The objective has its arguments; its peak and schedule are in schedule.json."
_USE_OF_FUNCTION = "# Call the function with it: `autolr fit {file}`."
_USE_OF_LOCAL = "# The function cannot be imported by its path: put these values into it."
_WEIGHTS = """\
# Its weights, for load_from_checkpoint: {files}.
"""
_STOPPED = """\
# No trial ran to its planned end: {reason}.
"""


def best_config(
    config: Config, candidate: Candidate, own_peak: float | None = None, averaged: int = 0
) -> dict[str, Any]:
    """Return a LightningCLI config that trains a candidate with autolr's callbacks.

    A config with an objective of its own has the candidate's settings only; one with a function
    has the candidate itself, which `autolr fit` trains.

    Args:
        config: The study's config.
        candidate: A candidate with a peak.
        own_peak: The peak of the module's own scheduler, whose shape the run keeps; None: the shape
            is the candidate's.
        averaged: Over how many of the last steps the weights at the end are averaged; 0: they are
            the last ones.
    """
    fit: dict[str, Any] = {**config.fit, "seed_everything": config.seed}
    fit.pop(CLI, None)
    if config.names_function:
        return set_dotted(fit, f"{OBJECTIVE}.candidate", candidate.to_dict())
    for name, value in candidate.settings:
        fit = set_dotted(fit, name, value)
    if config.names_objective:
        return fit
    arguments = _followed(candidate, own_peak)
    follow = {"class_path": "autolr.callbacks.FollowCandidate", "init_args": arguments}
    ours = [follow]
    if not candidate.is_own:
        rule = {"rule": candidate.rule, "settings": dict(candidate.rule_settings)}
        ours.insert(0, {"class_path": "autolr.callbacks.ApplyRule", "init_args": rule})
    if averaged:
        end = {"class_path": "autolr.callbacks.AverageLastSteps", "init_args": {"steps": averaged}}
        ours.append(end)
    trainer = dict(fit.get("trainer") or {})
    given = trainer.get("callbacks") or []
    trainer["callbacks"] = [*(given if isinstance(given, list) else [given]), *ours]
    return fit | {"trainer": trainer}


def artefacts(
    config: Config, folder: Path, trials: Sequence[TrialRecord], best: TrialRecord | None
) -> dict[Path, str]:
    """Return the text of trials.csv and, for the best trial, best.yaml and schedule.json.

    Args:
        config: The study's config.
        folder: The folder of the files.
        trials: All trials.
        best: The `leader` of the trials, if there is one. Where no rerun repeats it, both
            files may be of a trial that can be repeated, see `repeatable`.

    Returns:
        The text of each file.
    """
    table = {folder / "trials.csv": trials_csv(trials)}
    if best is None:
        return table
    trained = repeatable(trials, config.tune.direction, best)
    candidate = Candidate.from_dict({**trained.attrs["found"]})
    own_peak, averaged = trained.attrs.get(OWN_PEAK), trained.attrs.get(AVERAGED, 0)
    config_file, schedule_file = folder / "best.yaml", folder / "schedule.json"
    if config.names_function:
        use = _USE_OF_FUNCTION if can_be_fitted(config.fit) else _USE_OF_LOCAL
    else:
        use = _USE_OF_OBJECTIVE if config.names_objective else _USE
    header = _HEADER.format(
        best=BEST,
        study=config.tune.study,
        number=trained.number,
        monitor=config.tune.monitor,
        value=trained.attrs["stopped_value"] if trained.stopped else trained.value,
        seeds=_seeds_text(trained),
        use=use.format(file=shlex.quote(config_file.as_posix())),
        monitor_line=MONITOR,
        modules_line=MODULES,
        modules=config.folder,
        cli=f"{OWN_CLI}{json.dumps(config.fit[CLI])}\n" if CLI in config.fit else "",
    )
    if kept := weights_of(folder, trained):
        header += _WEIGHTS.format(files=", ".join(file.as_posix() for file in kept))
    if trained.stopped:
        header += _STOPPED.format(reason=trained.attrs["reason"])
    if note := unrepeated(best, trained):
        header += f"# Trial {best.number}: {note}.\n"
    best_fit = best_config(config, candidate, own_peak, averaged)
    text = yaml.safe_dump(best_fit, sort_keys=False)
    schedule = {**_followed(candidate, own_peak), "total_steps": trained.attrs["run_steps"]}
    if averaged:
        schedule[AVERAGED] = averaged
    return {
        config_file: header + text,
        schedule_file: json.dumps(schedule, indent=1) + "\n",
        **table,
    }


def weights_of(folder: Path, trial: TrialRecord) -> list[Path]:
    """Return the files with the weights of a trial: one, one for each of its seeds, or none.

    Args:
        folder: The study's folder.
        trial: The trial.
    """
    own = folder / f"trial_{trial.number}"
    return [
        file for file in (own / WEIGHTS, *sorted(own.glob(f"seed_*/{WEIGHTS}"))) if file.exists()
    ]


def _followed(candidate: Candidate, own_peak: float | None) -> dict[str, Any]:
    """Return the arguments of `FollowCandidate`, plain."""
    own = {} if own_peak is None else {"own_peak": own_peak}
    return {"peak": candidate.peak, "schedule": candidate.schedule.to_dict(), **own}


def _seeds_text(best: TrialRecord) -> str:
    if SPREAD not in best.attrs:
        return ""
    count, spread = len(best.attrs[RUNS]), best.attrs[SPREAD]
    return f", the mean of {count} seeds with a spread of {spread:.3g}"

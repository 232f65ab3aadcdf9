"""The files that a study writes: trials.csv, best.yaml, schedule.json."""

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from autolr.candidate import Candidate
from autolr.config import MODULES, Config, set_dotted
from autolr.report.trials_file import trials_csv
from autolr.study import DISCARDED, TrialRecord

_HEADER = """\
# The best candidate of study {study} (trial {number}, {monitor} {value:.6g}).
{use}
{modules_line}{modules}
"""
_USE = (
    "# Train it with `autolr fit {file}`, or with LightningCLI: `python your_cli.py fit -c {file}`."
)
_USE_OF_OBJECTIVE = "# The objective has its arguments; its peak and schedule are in schedule.json."
_STOPPED = """\
# No trial ran to its planned end: {reason}.
"""
_DISCARDED = """\
# Its search went back from {steps} steps: trained from scratch, it ends near this value, not at it.
"""


def best_config(config: Config, candidate: Candidate) -> dict[str, Any]:
    """Return a LightningCLI config that trains a candidate with autolr's callbacks.

    A config with an objective of its own has the candidate's settings only.

    Args:
        config: The study's config.
        candidate: A candidate with a peak.
    """
    fit: dict[str, Any] = {**config.fit, "seed_everything": config.seed}
    for name, value in candidate.settings:
        fit = set_dotted(fit, name, value)
    if config.names_objective:
        return fit
    follow = {
        "class_path": "autolr.callbacks.FollowCandidate",
        "init_args": {"peak": candidate.peak, "schedule": candidate.schedule.to_dict()},
    }
    ours = [follow]
    if not candidate.is_own:
        rule = {"rule": candidate.rule, "settings": dict(candidate.rule_settings)}
        ours.insert(0, {"class_path": "autolr.callbacks.ApplyRule", "init_args": rule})
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
        best: The `leader` of the trials, if there is one.

    Returns:
        The text of each file.
    """
    table = {folder / "trials.csv": trials_csv(trials)}
    if best is None:
        return table
    candidate = Candidate.from_dict({**best.attrs["found"]})
    config_file, schedule_file = folder / "best.yaml", folder / "schedule.json"
    use = _USE_OF_OBJECTIVE if config.names_objective else _USE
    header = _HEADER.format(
        study=config.tune.study,
        number=best.number,
        monitor=config.tune.monitor,
        value=best.attrs["stopped_value"] if best.stopped else best.value,
        use=use.format(file=shlex.quote(config_file.as_posix())),
        modules_line=MODULES,
        modules=config.folder,
    )
    if best.stopped:
        header += _STOPPED.format(reason=best.attrs["reason"])
    if DISCARDED in best.attrs:
        header += _DISCARDED.format(steps=best.attrs[DISCARDED])
    text = yaml.safe_dump(best_config(config, candidate), sort_keys=False)
    schedule = {"peak": candidate.peak, "schedule": candidate.schedule.to_dict()}
    schedule["total_steps"] = best.attrs["run_steps"]
    return {
        config_file: header + text,
        schedule_file: json.dumps(schedule, indent=1) + "\n",
        **table,
    }

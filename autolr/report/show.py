"""What a storage holds, as tables and as JSON."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from rich.box import SIMPLE
from rich.table import Table

from autolr.names import short
from autolr.report.table import TrialLike, cell_text, chosen, stopped_early

_STOPPED = "stopped early"


class ShownTrial(TrialLike, Protocol):
    """What is shown of a trial."""

    @property
    def scores(self) -> Mapping[int, float]:
        """By optimizer step, the scores at rungs."""


class ShownStudy(Protocol):
    """What is shown of a study."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def direction(self) -> str:
        """Whether lower or higher values are better."""

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        """What it was made with."""

    @property
    def trials(self) -> Sequence[ShownTrial]:
        """By number."""

    @property
    def front(self) -> Sequence[ShownTrial]:
        """Of a study with a cost, the trials that none beats in both, best value first."""


def studies_table(studies: Iterable[ShownStudy]) -> Table:
    """Return a row for each study: how many trials in which state, and the best value."""
    listed = [(study, _counts(study)) for study in studies]
    words = ["complete", "pruned", "failed", "running", "waiting"]
    words += [_STOPPED] if any(counts[_STOPPED] for _, counts in listed) else []
    table = Table("study", "monitor", *words, "best", box=SIMPLE, pad_edge=False)
    for study, counts in listed:
        cells = (str(counts[word]) for word in words)
        table.add_row(study.name, _monitor(study), *cells, cell_text(_best(study)))
    return table


def trials_table(study: ShownStudy) -> Table:
    """Return a row for each trial: its state, what it came to, its parameters and its price.

    The score of a trial that is not complete is its last one, of a rung or, of a run that stopped
    early, of its end. In a study with a cost the
    trials of the front come first, marked.
    """
    front = {trial.number: trial for trial in study.front}
    trials = [*front.values(), *(trial for trial in study.trials if trial.number not in front)]
    mark = ["front"] if len(_objectives(study)) > 1 else []
    params = list(dict.fromkeys(name for trial in study.trials for name in chosen(trial)))
    names = [short(name) for name in params]
    shared = ("trial", *mark, "state", "bracket", _monitor(study))
    columns = (*shared, *names, "steps", "seconds", "why")
    table = Table(box=SIMPLE, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for trial in trials:
        score = trial.value if trial.value is not None else last_score(trial)
        values = chosen(trial)
        cells: list[object] = [trial.number, *("*" if trial.number in front else "" for _ in mark)]
        cells += [trial.state, trial.attrs.get("bracket"), score]
        cells += [values.get(name) for name in params]
        cells += [trial.attrs.get(name) for name in ("steps", "seconds", "reason")]
        table.add_row(*(cell_text(cell) for cell in cells))
    return table


def heading(study: ShownStudy) -> str:
    """Return a study in one line."""
    counts = ", ".join(f"{count} {state}" for state, count in _counts(study).items() if count)
    better = "lower" if study.direction == "minimize" else "higher"
    wanted = " and lower ".join(_objectives(study))
    return f"study {study.name!r}: {counts or 'no trials'}; {better} {wanted} is better"


def study_to_dict(study: ShownStudy) -> dict[str, Any]:
    """Return a study and its trials as plain JSON; what is not finite is null."""
    front = {"front": [trial.number for trial in study.front]}
    return {
        "study": study.name,
        "monitor": _monitor(study),
        "direction": study.direction,
        **(front if len(_objectives(study)) > 1 else {}),
        "trials": [
            {
                "number": trial.number,
                "state": trial.state,
                "stopped_early": stopped_early(trial),
                "value": _finite(trial.value),
                "params": dict(trial.params),
                "scores": {str(step): _finite(score) for step, score in trial.scores.items()},
                "attrs": dict(trial.attrs),
            }
            for trial in study.trials
        ],
    }


def _counts(study: ShownStudy) -> dict[str, int]:
    states = [trial.state for trial in study.trials]
    words = {"complete": "COMPLETE", "pruned": "PRUNED", "failed": "FAIL"}
    words |= {"running": "RUNNING", "waiting": "WAITING"}
    counts = {word: states.count(state) for word, state in words.items()}
    stopped = sum(map(stopped_early, study.trials))
    return {**counts, "pruned": counts["pruned"] - stopped, _STOPPED: stopped}


def _best(study: ShownStudy) -> float | None:
    values = [trial.value for trial in study.trials if _finite(trial.value) is not None]
    found = [value for value in values if value is not None]
    best = min if study.direction == "minimize" else max
    return best(found, default=None)


def last_score(trial: ShownTrial) -> float | None:
    """Return the last score of a trial that is not complete; None without any."""
    if stopped_early(trial):
        return float(trial.attrs["stopped_value"])
    return trial.scores[max(trial.scores)] if trial.scores else None


def _monitor(study: ShownStudy) -> str:
    return str(study.fingerprint.get("monitor", "value"))


def _objectives(study: ShownStudy) -> Sequence[str]:
    found: Sequence[str] = study.fingerprint.get("objective", [_monitor(study)])
    return found


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None

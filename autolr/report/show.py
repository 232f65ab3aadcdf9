"""Studies and their trials as tables on the console and as JSON."""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from autolr.errors import ConfigError
from autolr.names import short
from autolr.report.fitting_table import FittingTable
from autolr.report.table import cell_text, chosen, spread_column
from autolr.sampler import parse_sampler, sampler_text
from autolr.study import Summary, TrialRecord, holder, importances

_STOPPED = "stopped early"
_NOT_FINITE = "not finite"  # the score of a trial that diverged
_RARE = (_STOPPED, _NOT_FINITE)  # they have columns of their own where a trial is so
_ALL = "autolr show --json has all"


def studies_table(studies: Iterable[Summary]) -> FittingTable:
    """Return a row for each study: trials by state, and the best value."""
    listed = [(study, _counts(study)) for study in studies]
    rare = [word for word in _RARE if any(counts[word] for _, counts in listed)]
    words = ["complete", "pruned", *rare, "failed", "running", "waiting"]
    rows = []
    for study, counts in listed:
        cells = (str(counts[word]) for word in words)
        best = next((trial.value for trial in study.ranked), None)
        rows.append([study.name, monitor_of(study), *cells, cell_text(best)])
    expendable = list(range(len(words) + 1, 2, -1))  # all but the complete ones
    return FittingTable(("study", "monitor", *words, "best"), rows, expendable, _ALL)


def trials_table(study: Summary) -> FittingTable:
    """Return a row for each trial: its state, score, parameters and price.

    The score of an unfinished trial is that of its last rung, or of the end of a run that stopped
    early. In a study with a cost, the trials of the front come first and are marked. On a narrow
    terminal the reasons stand below the rows; then bracket, price and the last parameters are
    left out.
    """
    front = {trial.number: trial for trial in study.front}
    trials = [*front.values(), *(trial for trial in study.trials if trial.number not in front)]
    mark = ["front"] if len(_objectives(study)) > 1 else []
    params = list(dict.fromkeys(name for trial in study.trials for name in chosen(trial)))
    names = [short(name) for name in params]
    spread = spread_column(study.trials)
    shared = ("trial", *mark, "state", "bracket", monitor_of(study), *spread)
    columns = (*shared, *names, "steps", "seconds", "why")
    rows = []
    for trial in trials:
        score = trial.value if trial.value is not None else last_score(trial)
        values = chosen(trial)
        cells: list[object] = [trial.number, *("*" if trial.number in front else "" for _ in mark)]
        cells += [trial.state, trial.attrs.get("bracket"), score]
        cells += [trial.attrs.get(name) for name in spread]
        cells += [values.get(name) for name in params]
        cells += [trial.attrs.get(name) for name in ("steps", "seconds")]
        cells += [why(trial)]
        rows.append([cell_text(cell) for cell in cells])
    first, end = len(shared), len(shared) + len(names)
    bracket = shared.index("bracket")
    expendable = [bracket, end + 1, end, *range(end - 1, first - 1, -1)]
    return FittingTable(columns, rows, expendable, _ALL, sentences=end + 2)


def study_parts(study: Summary) -> Iterator[str | FittingTable]:
    """Yield what there is to see of a study: a heading, who works on it, trials, and shares."""
    yield heading(study)
    if (driver := holder(study)) is not None:
        yield f"{driver} works on it"
    elif study.running or study.waiting:
        yield "no driver works on it: autolr tune resumes its running and waiting trials"
    yield trials_table(study)
    if (line := importance_line(study)) is not None:
        yield line


def importance_line(study: Summary) -> str | None:
    """Return how much each parameter decides about the score, in words; None: it is not known."""
    shares = importances(study)
    if not shares:
        return None
    listed = ", ".join(f"{short(name)} {share:.0%}" for name, share in shares.items())
    return f"what decided about {monitor_of(study)} (PED-ANOVA): {listed}"


def heading(study: Summary) -> str:
    """Return one line: the study, its trials by state, its objectives, a sampler of the user's."""
    counts = ", ".join(f"{count} {state}" for state, count in _counts(study).items() if count)
    better = "lower" if study.direction == "minimize" else "higher"
    wanted = " and lower ".join(_objectives(study))
    made = f"study {study.name!r}: {counts or 'no trials'}; {better} {wanted} is better"
    return made + (f"; sampler {sampler}" if (sampler := _sampler(study)) else "")


def study_to_dict(study: Summary) -> dict[str, Any]:
    """Return a study and its trials as plain JSON; values that are not finite are null."""
    front = {"front": [trial.number for trial in study.front]}
    return {
        "study": study.name,
        "monitor": monitor_of(study),
        "direction": study.direction,
        **(front if len(_objectives(study)) > 1 else {}),
        "trials": [
            {
                "number": trial.number,
                "state": trial.state,
                "stopped_early": trial.stopped,
                "value": _finite(trial.value),
                "params": dict(trial.params),
                "scores": {str(step): _finite(score) for step, score in trial.scores.items()},
                "attrs": dict(trial.attrs),
            }
            for trial in study.trials
        ],
    }


def _counts(study: Summary) -> dict[str, int]:
    states: list[str] = [trial.state for trial in study.trials]
    words = {"complete": "COMPLETE", "pruned": "PRUNED", "failed": "FAIL"}
    words |= {"running": "RUNNING", "waiting": "WAITING"}
    counts = {word: states.count(state) for word, state in words.items()}
    stopped = sum(trial.stopped for trial in study.trials)
    diverged = sum(trial.diverged for trial in study.trials)
    pruned = counts["pruned"] - stopped - diverged
    return {**counts, "pruned": pruned, _STOPPED: stopped, _NOT_FINITE: diverged}


def why(trial: TrialRecord) -> object:
    """Return why a trial ended before its planned end, in words; None if it did not."""
    return f"the score is {_NOT_FINITE}" if trial.diverged else trial.attrs.get("reason")


def last_score(trial: TrialRecord) -> float | None:
    """Return the last score of a trial that is not complete; None if it has none."""
    if trial.stopped:
        return float(trial.attrs["stopped_value"])
    return trial.scores[max(trial.scores)] if trial.scores else None


def monitor_of(study: Summary) -> str:
    """Return the name of the metric."""
    return str(study.fingerprint.get("monitor", "value"))


def _objectives(study: Summary) -> Sequence[str]:
    objectives: Sequence[str] = study.fingerprint.get("objective", [monitor_of(study)])
    return objectives


def _sampler(study: Summary) -> str | None:
    """Return the class of the user's that the study samples by, if it does."""
    try:
        sampler = parse_sampler(study.fingerprint.get("sampler"))
    except ConfigError:  # another tool's study
        return None
    return None if isinstance(sampler, str) else sampler_text(sampler)


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None

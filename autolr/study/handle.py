"""The study at work: ask for trials, report, judge, finish, resume."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import optuna
from optuna.trial import TrialState

from autolr.errors import StudyMismatchError
from autolr.study.fingerprint import Difference, first_difference, plain
from autolr.study.hyperband import Hyperband
from autolr.study.records import (
    FINGERPRINT,
    TrialRecord,
    best,
    count,
    direction_of,
    record_of,
)
from autolr.study.storage import storage_errors

DIVERGED = "diverged"  # the reason given for a trial whose score is not finite


class Study:
    """A study that this process works on. Made by `autolr.study.open_study`.

    Every change is in the storage when its method returns; every question is answered
    from memory. A storage that fails raises `StorageError` from any method. Whoever
    calls ``trial.suggest_*`` does so inside `storage_errors`. For one thread.
    """

    def __init__(
        self,
        url: str,
        study: optuna.Study,
        records: list[TrialRecord],
        hyperband: Hyperband | None,
    ) -> None:
        self._url = url
        self._study = study
        self._records = {record.number: record for record in records}
        self._direction = direction_of(study)
        self._hyperband = hyperband

    @property
    def name(self) -> str:
        """The study's name."""
        return self._study.study_name

    @property
    def trials(self) -> tuple[TrialRecord, ...]:
        """All trials by number, as far as this process knows them."""
        return tuple(self._records[number] for number in sorted(self._records))

    @property
    def finished(self) -> int:
        """Trials that are COMPLETE or PRUNED: what the setting ``trials`` counts."""
        return count(self._records.values(), "COMPLETE", "PRUNED")

    @property
    def failed(self) -> int:
        """Trials that ended with an error."""
        return count(self._records.values(), "FAIL")

    def best(self, n: int = 1) -> tuple[TrialRecord, ...]:
        """Return the ``n`` best COMPLETE trials, best first; fewer if there are fewer."""
        return best(self._records.values(), self._direction, n)

    def check_fingerprint(self, parts: Mapping[str, Any]) -> None:
        """Store what the study is made with, or compare it with what is stored.

        Args:
            parts: Nested settings that JSON can hold.

        Raises:
            StudyMismatchError: If a setting differs; the first one is named.
        """
        with storage_errors(self._url):
            stored = self._study.user_attrs.get(FINGERPRINT)
            if stored is None and not self._records:
                self._study.set_user_attr(FINGERPRINT, plain(parts))
                return
        if stored is None:
            raise StudyMismatchError(
                f"study {self.name!r} was not made by autolr; use --study NAME for a new study"
            )
        check(self.name, stored, parts)

    def set_attr(self, key: str, value: Any) -> None:
        """Keep a note with the study; JSON can hold ``value``."""
        with storage_errors(self._url):
            self._study.set_user_attr(key, value)

    def recover(self) -> tuple[int, ...]:
        """Let trials that a dead process left RUNNING go on; return their numbers.

        `ask` hands them out again before any new one, with the same number, parameters,
        attributes and scores. Each such restart is counted in the attribute ``restarts``.
        """
        cut = [record for record in self.trials if record.state == "RUNNING"]
        for record in cut:
            restarts = record.attrs.get("restarts", 0) + 1
            with storage_errors(self._url):
                storage, study_id = self._study._storage, self._study._study_id
                trial_id = storage.get_trial_id_from_study_id_trial_number(study_id, record.number)
                storage.set_trial_user_attr(trial_id, "restarts", restarts)
                storage.set_trial_state_values(trial_id, TrialState.WAITING)
            attrs = {**record.attrs, "restarts": restarts}
            self._records[record.number] = replace(record, state="WAITING", attrs=attrs)
        return tuple(record.number for record in cut)

    def ask(self) -> optuna.Trial:
        """Return the trial to run next: the lowest cut one if any, else a new one.

        With a `Hyperband`, the trial's attribute ``bracket`` is set.
        """
        with storage_errors(self._url):
            trial = self._study.ask()
            fresh = TrialRecord(trial.number, "RUNNING", None, {}, {}, {})
            record = self._records.get(trial.number, fresh)
            attrs = dict(record.attrs)
            if self._hyperband is not None and "bracket" not in attrs:
                attrs["bracket"] = self._hyperband.bracket_of(trial.number)
                trial.set_user_attr("bracket", attrs["bracket"])
            started = trial.datetime_start
        self._records[trial.number] = replace(record, state="RUNNING", attrs=attrs, started=started)
        return trial

    def report(self, trial: optuna.Trial, step: int, score: float) -> float:
        """Store the score of a trial after ``step`` optimizer steps; return the one that counts.

        A trial that goes on from a checkpoint may pass a rung twice: its first score
        counts. One that is not finite is stored as NaN.
        """
        record = self._records[trial.number]
        if step in record.scores:
            return record.scores[step]
        score = float(score) if math.isfinite(score) else math.nan
        with storage_errors(self._url):
            trial.report(score, step)
        self._records[trial.number] = replace(record, scores={**record.scores, step: score})
        return score

    def judge(self, trial: optuna.Trial, step: int, score: float) -> bool:
        """Report a score at a rung and return whether the trial goes on from there.

        Without a `Hyperband` every trial goes on unless its score is not finite.
        """
        score = self.report(trial, step, score)
        if self._hyperband is None:
            return math.isfinite(score)
        bracket = self._records[trial.number].attrs["bracket"]
        peers = self.scores_at(step, bracket, but=trial.number)
        sign = 1.0 if self._direction == "minimize" else -1.0
        return self._hyperband.promotes(sign * score, [sign * peer for peer in peers])

    def scores_at(self, step: int, bracket: int, *, but: int | None = None) -> list[float]:
        """Return the scores at a rung in a bracket, by trial number, ``but`` one trial's."""
        return [
            record.scores[step]
            for record in self.trials
            if step in record.scores
            and record.attrs.get("bracket") == bracket
            and record.number != but
        ]

    def complete(
        self, trial: optuna.Trial, value: float, attrs: Mapping[str, Any] | None = None
    ) -> TrialRecord:
        """End a trial with its final score; one that is not finite ends it as diverged."""
        if not math.isfinite(value):
            return self.prune(trial, DIVERGED, attrs)
        return self._finish(trial, TrialState.COMPLETE, attrs or {}, float(value))

    def prune(
        self, trial: optuna.Trial, reason: str, attrs: Mapping[str, Any] | None = None
    ) -> TrialRecord:
        """End a trial early; it counts as finished. ``reason`` is kept as an attribute.

        The reason ``"diverged"`` also marks the trial infeasible, so that the sampler
        never takes it for a good one, however far it came.
        """
        if reason == DIVERGED:
            with storage_errors(self._url):
                trial.set_constraint(DIVERGED, 1.0)
        return self._finish(trial, TrialState.PRUNED, {**(attrs or {}), "reason": reason})

    def fail(
        self, trial: optuna.Trial, reason: str, attrs: Mapping[str, Any] | None = None
    ) -> TrialRecord:
        """End a trial that raised an error; it does not count as finished."""
        return self._finish(trial, TrialState.FAIL, {**(attrs or {}), "reason": reason})

    def close(self) -> None:
        """Let go of the database's connections; a later call opens them anew."""
        self._study._storage._backend.engine.dispose()  # type: ignore[attr-defined]

    def _finish(
        self,
        trial: optuna.Trial,
        state: TrialState,
        attrs: Mapping[str, Any],
        value: float | None = None,
    ) -> TrialRecord:
        with storage_errors(self._url):
            for key, item in attrs.items():
                trial.set_user_attr(key, item)
            frozen = self._study.tell(trial, value, state)  # last: until here it can be resumed
        self._records[trial.number] = record_of(frozen)
        return self._records[trial.number]


def check(name: str, stored: Mapping[str, Any], parts: Mapping[str, Any]) -> None:
    """Compare what a study was made with and what it would go on with.

    Raises:
        StudyMismatchError: If a setting differs; the first one is named.
    """
    difference = first_difference(stored, parts)
    if difference is not None:
        raise mismatch(name, difference)


def mismatch(name: str, difference: Difference) -> StudyMismatchError:
    """Return the error for a study made with another setting: what differs, how to go on."""
    key, old, new = difference
    return StudyMismatchError(
        f"study {name!r} was made with {key} = {old}, now it is {new}; use --study NAME for a "
        "new study, --fresh to start over, or restore the old setting"
    )

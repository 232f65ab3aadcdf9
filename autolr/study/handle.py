"""The study at work: ask for trials, report, judge, finish, resume."""

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from autolr.errors import StudyMismatchError
from autolr.study.fingerprint import as_json, check_fingerprint
from autolr.study.hyperband import Hyperband
from autolr.study.promotion import TrialStatus, peers
from autolr.study.ranking import best, sign_of
from autolr.study.records import (
    FINGERPRINT,
    PROMOTED,
    TrialRecord,
    count,
    direction_of,
    record_of,
    status_of,
)
from autolr.study.sampling import RepeatableSampler
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
        trials: Sequence[FrozenTrial],
        hyperband: Hyperband | None,
        cost: str | None = None,
    ) -> None:
        self._url = url
        self._study = study
        self._records = {trial.number: record_of(trial) for trial in trials}
        self._frozen = {trial.number: trial for trial in trials}
        if isinstance(study.sampler, RepeatableSampler):
            study.sampler.known = self._frozen
        self._direction = direction_of(study)
        self._hyperband = hyperband
        self._cost = cost

    @property
    def name(self) -> str:
        """The study's name."""
        return self._study.study_name

    @property
    def trials(self) -> tuple[TrialRecord, ...]:
        """All trials by number, as far as this process knows them."""
        return tuple(self._records[number] for number in sorted(self._records))

    def trial(self, number: int) -> TrialRecord:
        """Return a trial as far as this process knows it."""
        return self._records[number]

    @property
    def finished(self) -> int:
        """Trials that are COMPLETE or PRUNED: what the setting ``trials`` counts."""
        return count(self._records.values(), "COMPLETE", "PRUNED")

    def best(self, n: int = 1) -> tuple[TrialRecord, ...]:
        """Return the ``n`` `best` COMPLETE trials, best first; fewer if there are fewer."""
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
                self._study.set_user_attr(FINGERPRINT, as_json(parts))
                return
        if stored is None:
            raise StudyMismatchError(
                f"study {self.name!r} was not made by autolr; use --study NAME for a new study"
            )
        check_fingerprint(self.name, stored, parts)

    def set_attr(self, key: str, value: Any) -> None:
        """Keep a note with the study; JSON can hold ``value``."""
        with storage_errors(self._url):
            self._study.set_user_attr(key, value)

    def name_values(self, *names: str) -> None:
        """Have Optuna's own tools call a trial's values so, unless they are told another name."""
        with storage_errors(self._url), warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            if self._study.metric_names is None:
                self._study.set_metric_names(list(names))

    def recover(self) -> tuple[int, ...]:
        """Let trials that a dead process left RUNNING wait; return their numbers.

        Each such restart is counted in the attribute ``restarts``.
        """
        cut = [record for record in self.trials if record.state == "RUNNING"]
        for record in cut:
            restarts = record.attrs.get("restarts", 0) + 1
            with storage_errors(self._url):
                storage, trial_id = self._study._storage, self._trial_id(record.number)
                storage.set_trial_user_attr(trial_id, "restarts", restarts)
                storage.set_trial_state_values(trial_id, TrialState.WAITING)
            attrs = {**record.attrs, "restarts": restarts}
            self._update(record.number, state="WAITING", attrs=attrs)
        return tuple(record.number for record in cut)

    def ask(self) -> optuna.Trial:
        """Return a new trial; those that wait are left waiting.

        With a `Hyperband`, the trial's attribute ``bracket`` is set.
        """
        with storage_errors(self._url):
            self._study._thread_local.cached_all_trials = None
            storage = self._study._storage
            trial = optuna.Trial(self._study, storage.create_new_trial(self._study._study_id))
            self._frozen[trial.number] = trial._cached_frozen_trial
            attrs = {}
            if self._hyperband is not None:
                attrs["bracket"] = self._hyperband.bracket_of(trial.number)
                trial.set_user_attr("bracket", attrs["bracket"])
            started = trial.datetime_start
        self._records[trial.number] = TrialRecord(
            trial.number, "RUNNING", None, {}, attrs, {}, started
        )
        return trial

    def resume(self, number: int, *, promoted: bool = False) -> optuna.Trial:
        """Return a WAITING trial to go on with: the same parameters, attributes and scores.

        Args:
            number: Which.
            promoted: Whether it goes on from the rung where it was paused.
        """
        with storage_errors(self._url):
            self._study._thread_local.cached_all_trials = None
            trial_id = self._trial_id(number)
            self._study._storage.set_trial_state_values(trial_id, TrialState.RUNNING)
            trial = optuna.Trial(self._study, trial_id)
            self._frozen[number] = trial._cached_frozen_trial
            started = trial.datetime_start
        self._update(number, state="RUNNING", started=started)
        if promoted:
            self.note(trial, {PROMOTED: max(self._records[number].scores)})
        return trial

    def pause(self, trial: optuna.Trial, attrs: Mapping[str, Any] | None = None) -> TrialRecord:
        """Let a trial wait, at a rung or wherever it was interrupted; `resume` goes on with it."""
        self.note(trial, attrs or {})
        with storage_errors(self._url):
            self._study._storage.set_trial_state_values(trial._trial_id, TrialState.WAITING)
        return self._update(trial.number, state="WAITING")

    def note(self, trial: optuna.Trial, attrs: Mapping[str, Any]) -> None:
        """Set attributes of a running trial; JSON can hold their values."""
        record = self._records[trial.number]
        changed = {k: v for k, v in attrs.items() if k not in record.attrs or record.attrs[k] != v}
        with storage_errors(self._url):
            for key, value in changed.items():
                trial.set_user_attr(key, value)
        attrs = {**record.attrs, **as_json(changed)}
        self._update(trial.number, attrs=attrs, params=dict(trial.params))

    def end_waiting(self, reason: str) -> tuple[TrialRecord, ...]:
        """End every trial that waits as pruned, with the score of its last rung as its value."""
        ended = []
        for record in self.trials:
            if record.state == "WAITING":
                with storage_errors(self._url):
                    trial_id = self._trial_id(record.number)
                    storage = self._study._storage
                    last = [score for score in record.scores.values() if math.isfinite(score)][-1:]
                    storage.set_trial_user_attr(trial_id, "reason", reason)
                    if "steps" not in record.attrs:  # it was killed as it had just been judged
                        steps = max(record.scores, default=0)
                        storage.set_trial_user_attr(trial_id, "steps", steps)
                    storage.set_trial_state_values(trial_id, TrialState.PRUNED, last or None)
                    self._keep(storage.get_trial(trial_id))
                ended.append(self._records[record.number])
        return tuple(ended)

    def statuses(self) -> tuple[TrialStatus, ...]:
        """Return what `next_action` decides by."""
        sign = sign_of(self._direction)
        return tuple(status_of(record, sign) for record in self.trials)

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
        passed = self._records[trial.number].attrs.get(PROMOTED, 0)
        if self._hyperband is None or step <= passed:
            return math.isfinite(score)
        statuses = self.statuses()
        (own,) = (status for status in statuses if status.number == trial.number)
        others = peers(statuses, own, step)
        goes_on = self._hyperband.promotes(own.scores[step], others)
        if goes_on:
            self.note(trial, {PROMOTED: step})
        return goes_on

    def complete(
        self, trial: optuna.Trial, value: float, attrs: Mapping[str, Any] | None = None
    ) -> TrialRecord:
        """End a trial with its final score; one that is not finite ends it as diverged.

        In a study with a cost, that is among ``attrs``.
        """
        if not math.isfinite(value):
            return self.prune(trial, DIVERGED, attrs)
        attrs = attrs or {}
        values = [float(value)] if self._cost is None else [float(value), float(attrs[self._cost])]
        return self._finish(trial, TrialState.COMPLETE, attrs, values)

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

    def _trial_id(self, number: int) -> int:
        storage, study_id = self._study._storage, self._study._study_id
        return storage.get_trial_id_from_study_id_trial_number(study_id, number)

    def _keep(self, frozen: FrozenTrial) -> TrialRecord:
        self._frozen[frozen.number] = frozen
        self._records[frozen.number] = record_of(frozen)
        return self._records[frozen.number]

    def _update(self, number: int, **changes: Any) -> TrialRecord:
        self._records[number] = replace(self._records[number], **changes)
        return self._records[number]

    def _finish(
        self,
        trial: optuna.Trial,
        state: TrialState,
        attrs: Mapping[str, Any],
        values: list[float] | None = None,
    ) -> TrialRecord:
        with storage_errors(self._url):
            self.note(trial, attrs)
            frozen = self._study.tell(trial, values, state)  # last: until here it can be resumed
        return self._keep(frozen)

"""A study that is written to: ask for trials, report and judge scores, finish, resume."""

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

DIVERGED = "diverged"  # the stored reason of a trial whose score is not finite


class Study:
    """A study that this process writes to. `autolr.study.open_study` returns it.

    A method returns when its change is stored; reads come from memory. A storage that fails raises
    `StorageError` from any method; call ``trial.suggest_*`` inside `storage_errors`. Use it from
    one thread only.
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
        """All trials by number, as this process knows them."""
        return tuple(self._records[number] for number in sorted(self._records))

    def trial(self, number: int) -> TrialRecord:
        """Return a trial as this process knows it."""
        return self._records[number]

    @property
    def finished(self) -> int:
        """Trials that are COMPLETE or PRUNED: what the setting ``trials`` counts."""
        return count(self._records.values(), "COMPLETE", "PRUNED")

    def best(self, n: int = 1) -> tuple[TrialRecord, ...]:
        """Return the ``n`` `best` COMPLETE trials, best first; fewer if there are fewer."""
        return best(self._records.values(), self._direction, n)

    def check_fingerprint(self, parts: Mapping[str, Any]) -> None:
        """Store the settings of a new study, or compare them with the stored ones.

        ``parts`` are nested settings, plain JSON.

        Raises:
            StudyMismatchError: If a setting differs; the message names the first one.
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
        """Store an attribute of the study; ``value`` is plain JSON."""
        with storage_errors(self._url):
            self._study.set_user_attr(key, value)

    def name_values(self, *names: str) -> None:
        """Set the names of a trial's values in Optuna's own tools, unless the study has names."""
        with storage_errors(self._url), warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            if self._study.metric_names is None:
                self._study.set_metric_names(list(names))

    def recover(self) -> tuple[int, ...]:
        """Set trials of a dead process to WAITING, count ``restarts``; return their numbers."""
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
        """Return a new trial, never a WAITING one.

        A `Hyperband` sets its attribute ``bracket``.
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
        """Set a WAITING trial to RUNNING and return it, with its parameters, attributes and scores.

        ``promoted``: whether it was promoted from the rung where it was paused.
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
        """Set a trial to WAITING, at a rung or interrupted, and store ``attrs``."""
        self.note(trial, attrs or {})
        with storage_errors(self._url):
            self._study._storage.set_trial_state_values(trial._trial_id, TrialState.WAITING)
        return self._update(trial.number, state="WAITING")

    def note(self, trial: optuna.Trial, attrs: Mapping[str, Any]) -> None:
        """Store attributes of a running trial; their values are plain JSON."""
        record = self._records[trial.number]
        changed = {k: v for k, v in attrs.items() if k not in record.attrs or record.attrs[k] != v}
        with storage_errors(self._url):
            for key, value in changed.items():
                trial.set_user_attr(key, value)
        attrs = {**record.attrs, **as_json(changed)}
        self._update(trial.number, attrs=attrs, params=dict(trial.params))

    def end_waiting(self, reason: str) -> tuple[TrialRecord, ...]:
        """Prune every WAITING trial, with the score of its last rung as its value."""
        ended = []
        for record in self.trials:
            if record.state == "WAITING":
                with storage_errors(self._url):
                    storage, trial_id = self._study._storage, self._trial_id(record.number)
                    last = [score for score in record.scores.values() if math.isfinite(score)][-1:]
                    storage.set_trial_user_attr(trial_id, "reason", reason)
                    if "steps" not in record.attrs:  # its process was killed right after a rung
                        steps = max(record.scores, default=0)
                        storage.set_trial_user_attr(trial_id, "steps", steps)
                    storage.set_trial_state_values(trial_id, TrialState.PRUNED, last or None)
                    self._keep(storage.get_trial(trial_id))
                ended.append(self._records[record.number])
        return tuple(ended)

    def statuses(self) -> tuple[TrialStatus, ...]:
        """Return the trials as `next_action` reads them."""
        sign = sign_of(self._direction)
        return tuple(status_of(record, sign) for record in self.trials)

    def report(self, trial: optuna.Trial, step: int, score: float) -> float:
        """Store the score of a trial at a rung; return the score that counts.

        A trial that resumes from a checkpoint may pass a rung twice: its first score counts.

        Args:
            trial: The trial.
            step: Optimizer steps since the trial's start.
            score: The monitored metric; stored as NaN if it is not finite.
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
        """Report a score at a rung and return whether the trial is promoted.

        Without a `Hyperband` every trial with a finite score is. For the arguments see `report`.
        """
        score = self.report(trial, step, score)
        passed = self._records[trial.number].attrs.get(PROMOTED, 0)
        if self._hyperband is None or step <= passed:
            return math.isfinite(score)
        statuses = self.statuses()
        (own,) = (status for status in statuses if status.number == trial.number)
        others = peers(statuses, own, step)
        promoted = self._hyperband.promotes(own.scores[step], others)
        if promoted:
            self.note(trial, {PROMOTED: step})
        return promoted

    def complete(
        self, trial: optuna.Trial, value: float, attrs: Mapping[str, Any] | None = None
    ) -> TrialRecord:
        """End a trial with its final score.

        If ``value`` is not finite, the trial ends as diverged. ``attrs`` are stored; they have the
        cost, if the study minimizes one.
        """
        if not math.isfinite(value):
            return self.prune(trial, DIVERGED, attrs)
        attrs = attrs or {}
        values = [float(value)] if self._cost is None else [float(value), float(attrs[self._cost])]
        return self._finish(trial, TrialState.COMPLETE, attrs, values)

    def prune(
        self, trial: optuna.Trial, reason: str, attrs: Mapping[str, Any] | None = None
    ) -> TrialRecord:
        """End a trial early; it counts as finished. ``reason`` is stored as an attribute.

        `DIVERGED` also marks the trial infeasible, so that the sampler never treats it as a good
        one, at whatever rung it ended.
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
        """Close the database's connections; a later call opens new ones."""
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
            frozen = self._study.tell(
                trial, values, state
            )  # last: a process that dies before it leaves a trial to resume
        return self._keep(frozen)

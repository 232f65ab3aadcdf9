"""A study that is written to: ask for trials, report and judge scores, finish, resume."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from autolr.study import transitions
from autolr.study.fingerprint import as_json
from autolr.study.hyperband import Hyperband
from autolr.study.names import SEARCHES
from autolr.study.promotion import TrialStatus, peers
from autolr.study.ranking import best, sign_of
from autolr.study.records import (
    DIVERGED,
    PROMOTED,
    TrialRecord,
    count,
    direction_of,
    peak_first,
    record_of,
    status_of,
)
from autolr.study.sampling import RepeatableSampler
from autolr.study.storage import storage_errors
from autolr.study.stored_study import StoredStudy


class Study(StoredStudy):
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
        super().__init__(url, study, trials)
        self._records = {trial.number: record_of(trial) for trial in trials}
        if isinstance(study.sampler, RepeatableSampler):
            study.sampler.known = self._frozen
        self._direction = direction_of(study)
        self._hyperband = hyperband
        self._cost = cost

    @property
    def trials(self) -> tuple[TrialRecord, ...]:
        """All trials by number, as this process knows them."""
        return tuple(self._records[number] for number in sorted(self._records))

    def trial(self, number: int) -> TrialRecord:
        """Return a trial as this process knows it."""
        return self._records[number]

    @property
    def has_cost(self) -> bool:
        """Whether the study minimizes a cost besides the score."""
        return self._cost is not None

    @property
    def finished(self) -> int:
        """Trials that are COMPLETE or PRUNED: what the setting ``trials`` counts."""
        return count(self._records.values(), "COMPLETE", "PRUNED")

    def best(self, n: int = 1) -> tuple[TrialRecord, ...]:
        """Return the ``n`` `best` COMPLETE trials, best first; fewer if there are fewer."""
        return best(self._records.values(), self._direction, n)

    def recover(self) -> tuple[int, ...]:
        """Set trials of a dead process to WAITING, count ``restarts``; return their numbers."""
        cut = [record for record in self.trials if record.state == "RUNNING"]
        for record in cut:
            restarts = record.attrs.get("restarts", 0) + 1
            with storage_errors(self._url):
                transitions.wait(self._study, record.number, {"restarts": restarts})
            attrs = {**record.attrs, "restarts": restarts}
            self._update(record.number, state="WAITING", attrs=attrs)
        return tuple(record.number for record in cut)

    def ask(self) -> optuna.Trial:
        """Return a new trial, never a WAITING one.

        A `Hyperband` sets its attribute ``bracket``.
        """
        with storage_errors(self._url):
            trial = transitions.begin(self._study)
            self._frozen[trial.number] = trial._cached_frozen_trial
            attrs = {}
            if self._hyperband is not None:
                attrs["bracket"] = self._hyperband.bracket_of(trial.number)
                trial.set_user_attr("bracket", attrs["bracket"])
            began = trial.datetime_start
        self._records[trial.number] = TrialRecord(
            trial.number, "RUNNING", None, {}, attrs, {}, began
        )
        return trial

    def resume(self, number: int, *, promoted: bool = False) -> optuna.Trial:
        """Set a WAITING trial to RUNNING and return it, with its parameters, attributes and scores.

        Args:
            number: Of the trial.
            promoted: Whether it was promoted from the rung where it was paused.
        """
        with storage_errors(self._url):
            trial = transitions.resume(self._study, number)
            self._frozen[number] = trial._cached_frozen_trial
            started = trial.datetime_start
        record = self._update(number, state="RUNNING", started=started)
        if self._hyperband is not None and "bracket" not in record.attrs and not record.scores:
            # its process was killed before `ask` had stored it
            self.note(trial, {"bracket": self._hyperband.bracket_of(number)})
        if promoted:
            self.note(trial, {PROMOTED: max(self._records[number].scores)})
        return trial

    def pause(self, trial: optuna.Trial, attrs: Mapping[str, Any] | None = None) -> TrialRecord:
        """Set a trial to WAITING, at a rung or interrupted.

        Args:
            trial: A running trial.
            attrs: Stored with it; their values are plain JSON.
        """
        self.note(trial, attrs or {})
        with storage_errors(self._url):
            transitions.wait(self._study, trial.number)
        return self._update(trial.number, state="WAITING")

    def note(self, trial: optuna.Trial, attrs: Mapping[str, Any]) -> None:
        """Store attributes of a running trial.

        Args:
            trial: The trial.
            attrs: By name, plain JSON; a value that is stored already is not written again.
        """
        before = self._records[trial.number].attrs
        changed = {k: v for k, v in attrs.items() if k not in before or before[k] != v}
        with storage_errors(self._url):
            for key, value in changed.items():
                trial.set_user_attr(key, value)
        now = {**before, **as_json(changed)}
        self._update(trial.number, attrs=now, params=peak_first(trial.params))

    def end_waiting(self, reason: str) -> tuple[TrialRecord, ...]:
        """Prune every WAITING trial, with the score of its last rung as its value."""
        ended = []
        for record in self.trials:
            if record.state == "WAITING":
                finite = [score for score in record.scores.values() if math.isfinite(score)]
                last = finite[-1] if finite else None
                attrs: dict[str, Any] = {"reason": reason}
                if "steps" not in record.attrs:  # its process was killed right after a rung
                    attrs["steps"] = max(record.scores, default=0)
                with storage_errors(self._url):
                    self._keep(transitions.prune(self._study, record.number, attrs, last))
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
            trial: A running trial.
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

        Without a `Hyperband` every trial with a finite score is, and so is always the one that
        searches its own peak: what it finds is worth a whole run.

        Args:
            trial: A running trial.
            step: Optimizer steps since the trial's start.
            score: The monitored metric, in its own sign.
        """
        score = self.report(trial, step, score)
        passed = self._records[trial.number].attrs.get(PROMOTED, 0)
        spared = SEARCHES in self._records[trial.number].attrs
        if self._hyperband is None or step <= passed or spared:
            return math.isfinite(score)
        statuses = self.statuses()
        (own,) = (status for status in statuses if status.number == trial.number)
        others = peers(statuses, own, step)
        promoted = self._hyperband.promotes(own.scores[step], others)
        if promoted:
            self.note(trial, {PROMOTED: step})
        return promoted

    def complete(
        self,
        trial: optuna.Trial,
        value: float,
        attrs: Mapping[str, Any] | None = None,
        cost: float | None = None,
    ) -> TrialRecord:
        """End a trial with its final score.

        Args:
            trial: A running trial.
            value: The monitored metric; if it is not finite, the trial ends as diverged.
            attrs: Stored with it.
            cost: What the study minimizes besides, if it does; None: it is among ``attrs``.
        """
        if not math.isfinite(value):
            return self.prune(trial, DIVERGED, attrs)
        attrs, values = attrs or {}, [float(value)]
        if self._cost is not None:
            values.append(float(attrs[self._cost] if cost is None else cost))
        return self._finish(trial, TrialState.COMPLETE, attrs, values)

    def prune(
        self, trial: optuna.Trial, reason: str, attrs: Mapping[str, Any] | None = None
    ) -> TrialRecord:
        """End a trial early; it counts as finished.

        `DIVERGED` also marks the trial infeasible, so that the sampler never treats it as a good
        one, at whatever rung it ended.

        Args:
            trial: A running trial.
            reason: Stored as an attribute.
            attrs: Stored with it.
        """
        if reason == DIVERGED:
            with storage_errors(self._url):
                trial.set_constraint(DIVERGED, 1.0)
        return self._finish(trial, TrialState.PRUNED, {**(attrs or {}), "reason": reason})

    def fail(
        self, trial: optuna.Trial, reason: str, attrs: Mapping[str, Any] | None = None
    ) -> TrialRecord:
        """End a trial that raised an error; it does not count as finished.

        Args:
            trial: A running trial.
            reason: Stored as an attribute.
            attrs: Stored with it.
        """
        return self._finish(trial, TrialState.FAIL, {**(attrs or {}), "reason": reason})

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

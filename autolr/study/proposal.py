"""Which point of the space a new trial gets: one that no trial had, if there is one."""

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import optuna

from autolr.space import Point, Space, Value, label, nearest
from autolr.study.draft import Draft
from autolr.study.handle import Study
from autolr.study.names import START
from autolr.study.records import CANDIDATE, TrialRecord
from autolr.study.sampling import RepeatableSampler
from autolr.study.transitions import fix

_MOST = 10_000  # points of a finite space that are gone through one by one
_RANDOM = 30  # draws at random, where the sampler proposes only what was trained


def key_of(point: Mapping[str, Any]) -> str:
    """Return a text that equal points have in common, in whatever order their parameters are."""
    return json.dumps(_labelled(point), sort_keys=True)


def twin_of(record: TrialRecord, trials: Sequence[TrialRecord]) -> TrialRecord | None:
    """Return an earlier trial with the same point that did not fail; None if there is none.

    Args:
        record: A trial.
        trials: All trials of its study, by number.
    """
    for other in trials:
        if other.number >= record.number:
            return None
        if other.state != "FAIL" and has_point(other) and other.params == record.params:
            return other
    return None


def has_point(record: TrialRecord) -> bool:
    """Return whether all parameters of a trial are stored."""
    return CANDIDATE in record.attrs


class Proposer:
    """Gives each new trial of a study its point.

    First come the points that the user wants to see first; the sampler draws what they leave open.
    A point that a trial has had already is drawn again, as often as the sampler's ``redraws`` say.
    Then a finite space has its nearest point that no trial had; in another one the next draws are
    random. The draws depend on the seed, the trial's number and the trials before alone.

    A sampler of the user's is asked once: it may be one that repeats a point at will.

    Args:
        space: The search space.
        start: Points to try first, each with values of some or all parameters.
    """

    def __init__(self, space: Space, start: Sequence[Point] = ()) -> None:
        self._space = space
        self._start = start
        self._finite = space.size is not None and space.size <= _MOST
        self._keys: dict[int, str] = {}  # by number, of trials whose point is stored

    def propose(
        self, handle: Study, trial: optuna.Trial, spent: Collection[str] = ()
    ) -> dict[str, Value]:
        """Store the parameters of a trial and return them.

        Args:
            handle: The study.
            trial: A running trial. One that was interrupted in here gets the same point again.
            spent: The `key_of` points that failed; others that failed have another trial when a
                finite space has nothing else.
        """
        others = [record for record in handle.trials if record.number != trial.number]
        tried = set(map(self._key, filter(has_point, others)))
        given = self._given(handle, trial, others, tried)
        if not trial._fixed_params:  # else it was settled before an interruption
            sampler = trial.study.sampler
            if isinstance(sampler, RepeatableSampler):
                alive = [one for one in others if one.state != "FAIL" and has_point(one)]
                trained = {*spent, *map(self._key, alive)}
                self._settle(trial, sampler, given, tried, trained)
            elif given:
                fix(trial, _labelled(given))
        return self._space.suggest(trial)

    def _key(self, record: TrialRecord) -> str:
        if record.number not in self._keys:
            self._keys[record.number] = key_of(record.params)
        return self._keys[record.number]

    def _given(
        self,
        handle: Study,
        trial: optuna.Trial,
        others: Sequence[TrialRecord],
        tried: Collection[str],
    ) -> Point:
        """Return the point that the user wants this trial to have; {} if there is none."""
        if START in trial.user_attrs:
            given: Point = trial.user_attrs[START]
            return given
        used = Counter(key_of(one.attrs[START]) for one in others if START in one.attrs)
        for point in self._start:
            key = key_of(point)
            used[key] -= 1
            if used[key] < 0 and not (key in tried and self._is_whole(point)):
                handle.note(trial, {START: dict(point)})
                return point
        return {}

    def _is_whole(self, point: Point) -> bool:
        return set(self._space.active(point)) == set(point)

    def _settle(
        self,
        trial: optuna.Trial,
        sampler: RepeatableSampler,
        given: Point,
        tried: Collection[str],
        trained: Collection[str],
    ) -> None:
        """Have a trial suggest a point that was not tried, or else one that only failed."""
        drawn: list[dict[str, Value]] = []
        draft = Draft(trial, _labelled(given))
        for attempt in range(sampler.redraws + (0 if self._finite else _RANDOM) + 1):
            if attempt:
                sampler.redraw(trial.number, attempt)
                draft = Draft(trial, _labelled(given))
            drawn.append(self._space.suggest(draft))
            if key_of(drawn[-1]) not in tried:
                draft.accept(trial, stored=bool(attempt or given))
                return
        free = self._free(trial, drawn[0], given, tried) or self._free(
            trial, drawn[0], given, trained
        )
        draft = Draft(trial, _labelled(free or drawn[0]))
        self._space.suggest(draft)
        draft.accept(trial, stored=True)

    def _free(
        self, trial: optuna.Trial, wanted: Point, given: Point, taken: Collection[str]
    ) -> dict[str, Value] | None:
        """Return the nearest point of a finite space that is not taken, and agrees with these."""
        if not self._finite:
            return None
        held = {**_labelled(given), **trial.params}

        def fits(point: Point) -> bool:
            agrees = all(name in point and label(point[name]) == held[name] for name in held)
            return agrees and key_of(point) not in taken

        return nearest(self._space, wanted, fits)


def _labelled(point: Mapping[str, Any]) -> dict[str, Any]:
    """Return a point as a study stores it."""
    return {name: label(value) for name, value in point.items()}

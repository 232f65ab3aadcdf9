"""A study as its samplers see it: unfinished trials count with their last score."""

import copy
import math
from collections.abc import Container, Mapping, Sequence

import numpy as np
from optuna import Study
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState
from typing_extensions import override

from autolr.study.names import SEARCHES


class SamplerView(Study):
    """A study in which running and waiting trials appear as pruned at their last rung.

    Optuna's samplers ignore WAITING trials, but paused ones say where scores are poor. A trial that
    searched its own peak is left out: it has followed a schedule of its own, and was no draw.

    Args:
        study: The study.
        known: Its trials by number; None: they are read from the storage.
        settled: Whether pruned trials appear as complete, for samplers that ignore them too.
        without: The number of a trial that does not appear: what was drawn for it before an
            interruption would tell a sampler to draw something else.
    """

    def __init__(
        self,
        study: Study,
        known: Mapping[int, FrozenTrial] | None,
        *,
        settled: bool = False,
        without: int | None = None,
    ) -> None:
        own = {"_known": known, "_settled": settled, "_without": without}
        self.__dict__ = {**study.__dict__, **own}

    @override
    def _get_trials(
        self,
        deepcopy: bool = True,
        states: Container[TrialState] | None = None,
        use_cache: bool = False,
    ) -> list[FrozenTrial]:
        without: int | None = self.__dict__["_without"]
        drawn = (one for one in self.all_trials if not one.user_attrs.get(SEARCHES))
        seen = [as_pruned(one) for one in drawn if one.number != without]
        if self.__dict__["_settled"]:
            seen = settled(seen, self.directions)
        return [trial for trial in seen if states is None or trial.state in states]

    @property
    def all_trials(self) -> list[FrozenTrial]:
        """All trials as they are, by number."""
        known: Mapping[int, FrozenTrial] | None = self.__dict__["_known"]
        if known is None:
            return super()._get_trials(deepcopy=False)
        return [known[number] for number in sorted(known)]

    @override
    def stop(self) -> None:
        """Do nothing: the settings ``trials`` and ``timeout`` end a study, no sampler does."""


def as_pruned(trial: FrozenTrial) -> FrozenTrial:
    """Return an unfinished trial as pruned at its last rung; one without a score as running."""
    if trial.state not in (TrialState.WAITING, TrialState.RUNNING):
        return trial
    seen = copy.copy(trial)
    seen.state = TrialState.PRUNED if trial.intermediate_values else TrialState.RUNNING
    return seen


def settled(
    trials: Sequence[FrozenTrial], directions: Sequence[StudyDirection]
) -> list[FrozenTrial]:
    """Return the trials, pruned ones as complete with the score of their last rung.

    A diverged trial gets, in each objective, the worst value of the others; without others, or
    without a score, a trial stays pruned.

    Args:
        trials: Trials of one study.
        directions: Of its objectives.
    """
    scores = [_values(trial) for trial in trials]
    finite = [score for score in scores if score is not None]
    if not finite:
        return list(trials)
    signs = np.array([1 if way == StudyDirection.MINIMIZE else -1 for way in directions])
    worst: list[float] = (signs * np.max(signs * np.array(finite), axis=0)).tolist()
    return [
        _settled(trial, worst if score is None and _diverged(trial) else score)
        for trial, score in zip(trials, scores, strict=True)
    ]


def _settled(trial: FrozenTrial, values: list[float] | None) -> FrozenTrial:
    if trial.state != TrialState.PRUNED or values is None:
        return trial
    seen = copy.copy(trial)
    seen.state, seen.values = TrialState.COMPLETE, values
    attrs = (
        trial.system_attrs.items()
    )  # without constraints: samplers expect them of all trials or none
    seen.system_attrs = {key: value for key, value in attrs if not key.startswith("constraints")}
    return seen


def _values(trial: FrozenTrial) -> list[float] | None:
    if trial.state == TrialState.COMPLETE:
        return list(trial.values)
    if trial.state != TrialState.PRUNED or not trial.intermediate_values or _diverged(trial):
        return None
    return [trial.intermediate_values[max(trial.intermediate_values)]]


def _diverged(trial: FrozenTrial) -> bool:
    if trial.state != TrialState.PRUNED:
        return False
    return bool(trial.constraints) or any(map(math.isnan, trial.intermediate_values.values()))

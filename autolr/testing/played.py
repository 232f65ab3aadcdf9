"""Searches carried out on paper, for tests of strategies."""

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping, Sequence

import pytest

from autolr.candidate import Candidate
from autolr.online import (
    Action,
    Close,
    Commit,
    Observation,
    Probe,
    Rollback,
    RunInfo,
    Save,
    State,
    Strategy,
    Train,
)
from autolr.testing.runs import bowl

_MOST_ACTIONS = 10_000  # of a search; a strategy that needs more never ends


class Played:
    """A search carried out on paper.

    Args:
        strategy: The strategy.
        run: The run.
        score: ``score(candidate, step)``.
        lose: At which of its probes the run is lost, by number; none by default.
        batches: By how much the score of each validation batch differs from the mean; empty: they
            are not known.
        inactive: The share of inactive units of a candidate that is not the first; None: unknown.
        fields: Those of every observation that are not the default.
    """

    def __init__(
        self,
        strategy: Strategy,
        run: RunInfo,
        score: Callable[[Candidate, int], float] = bowl,
        lose: Sequence[int] = (),
        batches: Sequence[float] = (),
        inactive: float | None = None,
        fields: Mapping[str, object] | None = None,
    ) -> None:
        self.states: list[State] = []
        self.spent = 0
        self._strategy, self._run, self._score = strategy, run, score
        self._batches, self._inactive = batches, inactive
        self._lose, self._fields = lose, {"steps_left": ..., **(fields or {})}
        self._step, self._probes, self._saved = 0, 0, False
        self._scored: tuple[Candidate, ...] = ()  # of the last probe
        self.end = self._play()

    def _play(self) -> Commit:
        state: State = self._strategy.begin(self._run)
        for _ in range(_MOST_ACTIONS):
            self.states.append(state)
            action = state.action
            if isinstance(action, Commit):
                return action
            observed = self._carried_out(action)
            state = state.observe(observed)
            if _is_over(action, observed, state):
                return Commit(action.run)
        pytest.fail(f"no Commit within {_MOST_ACTIONS} actions")

    def _carried_out(self, action: Probe | Save | Rollback | Close | Train) -> Observation:
        assert isinstance(action, Train) == self._run.rewindable, "see Strategy.rewinds"
        if isinstance(action, Probe):
            return self._probed(action)
        if isinstance(action, Close):
            return self._closed(action)
        if isinstance(action, Train):
            return self._trained(action)
        if isinstance(action, Rollback):
            assert self._saved, "Rollback before any Save"
        self._saved = True
        return self._observation()

    def _probed(self, probe: Probe) -> Observation:
        run, number = self._run, self._probes
        self._probes += 1
        begin = max(self._step, probe.start)
        assert begin < probe.horizon <= run.deadline, "a probe's horizon is past, or too late"
        assert 0 <= probe.window <= probe.horizon, "a probe's window"
        assert len(set(probe.candidates)) == len(probe.candidates), "a probe's equal candidates"
        assert self._saved or not probe.from_saved, "a probe from the saved state before any Save"
        if probe.continues:
            assert probe.start == self._step, "a probe that continues begins as the last one ends"
            assert probe.run in self._scored, "a probe continues as another"
        if probe.own is not None:
            assert probe.start == self._step, "what trains on begins where the last probe ends"
            assert probe.own in self._scored, "what trains on was in no probe before"
        self._scored = probe.candidates
        if number in self._lose:
            self._step = max(self._step + 1, probe.start)
            every = tuple(range(len(probe.candidates)))
            infinite = (math.inf,) * len(every)
            diverged = () if probe.annealed else every[::-1]
            return self._observation(scores=infinite, diverged=diverged, lost=True)
        copies = len(probe.candidates) - (not probe.annealed)
        self.spent += copies * (probe.horizon - probe.start)
        self._step = probe.horizon
        scores = tuple(self._score(candidate, self._step) for candidate in probe.candidates)
        return self._observation(
            scores=scores,
            batch_scores=self._by_batch(scores),
            inactive=self._inactive_of(probe.candidates),
        )

    def _closed(self, action: Close) -> Observation:
        run = self._run
        assert run.deadline == run.total_steps, "the last steps are not the strategy's"
        assert all(0 < window <= run.total_steps for window in action.windows), "a window"
        self._step = run.total_steps
        scores = (self._score(action.run, self._step),) * (1 + len(action.windows))
        by_batch = self._by_batch(scores)
        return self._observation(scores=scores, batch_scores=by_batch, windows=action.windows)

    def _by_batch(self, scores: Sequence[float]) -> tuple[tuple[float, ...], ...] | None:
        if not self._batches:
            return None
        return tuple(tuple(score + apart for apart in self._batches) for score in scores)

    def _inactive_of(self, candidates: Sequence[Candidate]) -> tuple[float, ...]:
        return () if self._inactive is None else (0.0, *(self._inactive for _ in candidates[1:]))

    def _trained(self, action: Train) -> Observation:
        assert action.steps > 0
        scores = (self._score(action.run, self._step + k) for k in range(action.steps))
        losses = list(_until_broken(scores))
        self.spent += len(losses) if action.rewind else 0
        self._step += 0 if action.rewind else action.steps
        assert self._step <= self._run.total_steps
        return self._observation(losses=tuple(losses))

    def _observation(self, **fields: object) -> Observation:
        left = self._run.total_steps - self._step
        given = {k: left if v is ... else v for k, v in self._fields.items()}
        return dataclasses.replace(Observation(self._step), **{**fields, **given})  # type: ignore[arg-type]


def _is_over(action: Action, observed: Observation, then: State) -> bool:
    """Return whether training has ended with an error."""
    if observed.lost:
        return not isinstance(then.action, Rollback)
    run = isinstance(action, Train) and not action.rewind
    return run and not math.isfinite(observed.losses[-1])


def _until_broken(losses: Iterator[float]) -> Iterator[float]:
    for loss in losses:
        yield loss
        if not math.isfinite(loss):
            return

"""Scores of a run at given steps, by averages of its weights; the run is not changed."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from autolr.rng import isolated_rng
from autolr.runtime.average import Average
from autolr.runtime.learner import RECENT, Learner
from autolr.runtime.naming import gradients_of, set_gradients
from autolr.runtime.plain import device_of, packed, unpacked
from autolr.runtime.untouched import untouched

_FEWEST = 2  # steps of an average; one would be the noisy last state


class RungScores:
    """Scores a run at rungs.

    Args:
        learner: The run, with validation data.
        rungs: Optimizer steps at which to score, rising; those up to ``step`` are left out.
        window: Length of an average, as a share of the steps before its rung.
        step: Optimizer steps that the run has made already.
    """

    def __init__(
        self, learner: Learner, rungs: Sequence[int], window: float, *, step: int = 0
    ) -> None:
        self.step = step
        self._learner = learner
        self._rungs = [rung for rung in rungs if rung > step]
        self._window = window
        self._average: Average | None = None
        self._accumulating = False  # whether gradients wait for the next step
        self._busy = False

    @property
    def wants_batch(self) -> bool:
        """Whether the batch to come may be needed for the next score."""
        return bool(self._rungs) and self._rungs[0] - self.step <= RECENT

    @property
    def begun(self) -> int | None:
        """The rung whose average has begun; None if there is none."""
        return None if self._average is None else self._rungs[0]

    def observe_step(self, *, stepped: bool) -> float | None:
        """Take in what the live run has just done; return the score if a rung is reached.

        The score is lower for better, and infinite if it is not finite.

        Args:
            stepped: Whether the run has made an optimizer step.
        """
        self._busy = True
        self.step += stepped
        score = self._sample() if stepped and self._rungs else None
        self._busy, self._accumulating = False, not stepped
        return score

    def plan(self, rungs: Sequence[int]) -> None:
        """Score at other rungs than planned; the one whose average has begun stays.

        Args:
            rungs: Optimizer steps at which to score, rising.
        """
        begun = self.begun
        reached = self.step if begun is None else begun
        self._rungs = [] if begun is None else [begun]
        self._rungs += [rung for rung in rungs if rung > reached]

    def state_dict(self) -> dict[str, Any] | None:
        """Return tensors, by reference, and plain containers, for `load_state_dict`.

        Gradients are among them only while they are accumulated. None when the run was cut short
        in the middle of a step.
        """
        if self._busy:
            return None
        kept = self._accumulating
        state = {
            "step": self.step,
            "rungs": self._rungs,
            "average": None if self._average is None else self._average.state_dict(),
            "gradients": gradients_of(self._learner) if kept else None,
        }
        stored: dict[str, Any] = packed(state)
        return stored

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue where another one was when `state_dict` was called."""
        model = self._learner.model
        state = unpacked(dict(state), device_of(model))
        self.step, self._rungs = state["step"], state["rungs"]
        if state["average"] is not None:
            self._average = Average(model, self._learner.optimizer, window=1)
            self._average.load_state_dict(state["average"])
        if state["gradients"] is not None:
            set_gradients(self._learner, state["gradients"])

    def _sample(self) -> float | None:
        """Take the weights into the average of the next rung; score it when that is reached."""
        rung = self._rungs[0]
        if self.step > rung - max(_FEWEST, round(self._window * rung)):
            if self._average is None:
                learner, window = self._learner, rung - self.step + 1
                self._average = Average(learner.model, learner.optimizer, window)
            self._average.add()
        if self.step < rung:
            return None
        score, *_ = self._learner.ranks.gather(self._score)
        self._rungs, self._average = self._rungs[1:], None
        return score if math.isfinite(score) else math.inf

    def _score(self) -> float:
        assert self._average is not None
        whole = untouched(
            self._learner.model, whole=True
        )  # a waiting trial keeps all that it holds
        with whole, isolated_rng(), self._average.in_place(self._learner.forward):
            score = self._learner.validate()
        assert score is not None  # a run without validation is refused before it begins
        return score.value

"""Averages of a run's last weights, with one of which it may end."""

from collections.abc import Callable, Sequence
from typing import Any

from autolr.runtime.average import Average
from autolr.runtime.learner import Learner

_SAMPLES = 128  # of a window: with 16 the noise of the weights is still seen at a high rate


class EndAverages:
    """Averages of the live run, each over another number of its last steps.

    Each begins where its window does; where another state takes the place of the run they begin
    anew, over what is left.

    Args:
        learner: The run.
        has_room: Called before one begins: whether there is room for it. Else it never begins.
    """

    def __init__(self, learner: Learner, has_room: Callable[[], bool]) -> None:
        self._learner = learner
        self._has_room = has_room
        self._by_window: dict[int, Average] = {}
        self._crowded = False

    @property
    def nbytes(self) -> list[int]:
        """The bytes of each."""
        return [average.nbytes for average in self._by_window.values()]

    def sample(self, windows: Sequence[int], left: int) -> None:
        """Take in the weights in place, after a step of the run.

        Args:
            windows: Over how many of the last steps averages are.
            left: Steps to the end, this one included.
        """
        for window in windows:
            if left > window:
                self._by_window.pop(window, None)  # the run has turned out longer than it was
                continue
            if self._crowded:
                return
            if window not in self._by_window:
                self._crowded = not self._has_room()
                if self._crowded:
                    return
                learner = self._learner
                self._by_window[window] = Average(learner.model, learner.optimizer, left, _SAMPLES)
            self._by_window[window].add()

    def of(self, windows: Sequence[int]) -> list[Average | None]:
        """Return the average over each window; None for one that has never begun."""
        return [self._by_window.get(window) for window in windows]

    def clear(self) -> None:
        """Release all, or begin them anew: the state in place is another one."""
        self._by_window = {}

    def state_dict(self) -> list[list[Any]]:
        """Return windows and averages, by reference, for `load_state_dict`."""
        return [[window, average.state_dict()] for window, average in self._by_window.items()]

    def load_state_dict(self, state: Sequence[Sequence[Any]]) -> None:
        """Take on what `state_dict` returned; its tensors are taken over."""
        for window, stored in state:
            average = Average(self._learner.model, self._learner.optimizer, int(window))
            average.load_state_dict(stored)
            self._by_window[int(window)] = average

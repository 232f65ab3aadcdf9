"""A search that is stepped from a training loop."""

import logging
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

from torch import Tensor

from autolr.errors import ConfigError
from autolr.result.messages import closing, progress_lines
from autolr.result.result import Result
from autolr.runtime.checkpoint import ResumableRivals
from autolr.runtime.learner import LoopLearner
from autolr.runtime.loop_attributes import LoopAttributes
from autolr.runtime.optimizer_peaks import rates_by_name
from autolr.runtime.rates import Rates, resume
from autolr.runtime.room import Room
from autolr.runtime.start import Setup, start_search

if TYPE_CHECKING:
    from autolr.online.progress import Progress
    from autolr.online.settings import SearchSettings

_log = logging.getLogger(__name__)

Step: TypeAlias = Callable[[], tuple[Tensor | None, bool]]
"""Makes the live run's step; returns its loss, if any, and whether the optimizer stepped."""


class SteppedSearch:
    """A search beside a run whose loop calls `step` for each batch.

    Args:
        learner: The run, untrained.
        settings: What the user has set.
        total_steps: Optimizer steps of the run.
        room: How many copies of the run may be held.
        speaks: Whether the user reads lines here: one process of several does it.

    Raises:
        ConfigError: If ``total_steps`` is no positive whole number.
    """

    def __init__(
        self,
        learner: LoopLearner,
        settings: "SearchSettings",
        total_steps: int,
        room: Room | None = None,
        *,
        speaks: bool = True,
    ) -> None:
        if isinstance(total_steps, bool) or not isinstance(total_steps, int) or total_steps < 1:
            raise ConfigError.of("total_steps", total_steps, "a whole number of at least 1")
        self.total_steps = total_steps
        self._learner = learner
        self._settings = settings
        self._room = room or Room()
        self._speaks = speaks
        self._own_peak: float | None = None
        self._own_rates: tuple[tuple[str, float], ...] = ()
        self._rates: Rates | None = None
        self._rivals: ResumableRivals | None = None
        self._attributes = LoopAttributes()
        self._warned = False

    @property
    def made(self) -> int:
        """Optimizer steps of the run so far."""
        return 0 if self._rivals is None else self._rivals.step

    @property
    def begun(self) -> bool:
        """Whether the search has begun."""
        return self._rivals is not None

    @property
    def wants_batch(self) -> bool:
        """Whether the batch to come may be needed again."""
        return self._rivals is None or self._rivals.wants_batch

    def begin(self, own_peak: float | None = None) -> None:
        """Begin the search; the learner has its first batch.

        Args:
            own_peak: The highest rate of the user's own scheduler; None without one.

        Raises:
            ConfigError: If the optimizer or the user's functions cannot work.
        """
        learner, self._own_peak = self._learner, own_peak
        self._rates = rates = Rates.of(learner.optimizer, own_peak)
        self._own_rates = rates_by_name(learner.optimizer)
        rise = None if own_peak is None else 0
        setup = Setup(self._settings, self.total_steps, own_peak, rise)
        search, live = start_search(learner, rates, setup, self._say, self.warn)
        with learner.validated() if _compares(search) else nullcontext():
            self._rivals = ResumableRivals(
                learner, rates, search, self.total_steps, live, room=self._room
            )

    def step(self, make: Step) -> Tensor | None:
        """Have the live run make its step, and the rivals repeat it; return the loss.

        Args:
            make: See `Step`.

        Raises:
            DivergedError: If every rate that was tried diverged, or the run too often after that.
        """
        rivals, rates = self._rivals, self._rates
        assert rivals is not None
        assert rates is not None
        search = rivals.search
        with rivals.surviving():
            rivals.look()
            self._attributes.begin_step(rivals)
        before = rivals.capture()
        rates.factor = rivals.factor
        loss, stepped = make()
        own, replaced = self._attributes.end_step(), rivals.replaced
        rivals.repeat_step(loss, before, stepped=stepped)
        if rivals.replaced > replaced:
            self._attributes.put_back(own)
        self._attributes.watch(rivals)
        for line in progress_lines(search, rivals.search, self.total_steps, self._learner.monitor):
            self._say(line)
        self._warn_of_writers(rates)
        return loss

    def result(self) -> Result:
        """Return the result so far."""
        assert self._rivals is not None
        own_rates = self._own_rates
        return replace(self._rivals.result(), own_peak=self._own_peak, own_rates=own_rates)

    def close(self) -> None:
        """Print the end of the search, after the last step."""
        result = self.result()
        if result.probe_steps or result.broken_off is not None:
            clean = result.compared and result.broken_off is None
            (self._say if clean else self.warn)(closing(result))

    def detach(self, *, keep: bool) -> None:
        """Leave the optimizer.

        Args:
            keep: Whether the rates that were applied last stay in it; else its own come back.
        """
        if self._rates is not None:
            self._rates.detach(keep=keep)
            self._rates = None  # another search may attach its own

    def state_dict(self) -> dict[str, Any] | None:
        """Return the state of a search that has begun; None in the middle of a step."""
        assert self._rivals is not None
        assert self._rates is not None
        state = self._rivals.state_dict()
        rates = {"base": self._rates.base, "groups": self._rates.pairs}
        return state and {"rivals": state, "rates": rates, "own_peak": self._own_peak}

    def resume(self, state: Mapping[str, Any]) -> None:
        """Continue the search of another process, in place of `begin`.

        Args:
            state: What `state_dict` returned, of a run at the same step.
        """
        optimizer = self._learner.optimizer
        resume(optimizer, state["rates"]["groups"])
        self._rates = Rates.of(optimizer, state["rates"]["base"])
        self._own_rates = rates_by_name(optimizer)
        self._own_peak = state["own_peak"]
        self._rivals = ResumableRivals.resumed(
            self._learner, self._rates, state["rivals"], self._settings.searcher, self._room
        )

    def _warn_of_writers(self, rates: Rates) -> None:
        """Warn once where other code than a scheduler that was there at first writes the rate."""
        if self._warned or rates.written is None or self._own_peak is not None:
            return
        self._warned = True
        before, after = rates.written
        self.warn(
            f"AutoLR: other code writes the optimizer's rate ({before:.3g}, then {after:.3g}): "
            f"what it writes is multiplied by peak / {rates.base:.3g} and by the schedule; "
            "schedule='constant' keeps the shape that is written"
        )

    def _say(self, line: str) -> None:
        if self._speaks:
            _log.info(line)

    def warn(self, line: str) -> None:
        """Print a line that the user should act on."""
        if self._speaks:
            _log.warning(line)


def _compares(search: "Progress") -> bool:
    """Return whether the untrained state is scored, as several candidates are compared with it."""
    probe = search.probe
    return probe is not None and probe.ahead is None and len(probe.candidates) > 1

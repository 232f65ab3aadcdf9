"""A search that is under way, as a checkpoint holds it."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Self

from torch import Tensor
from typing_extensions import override

from autolr.candidate import Candidate
from autolr.online.actions import Probe
from autolr.online.progress import Progress
from autolr.online.strategy import Strategy
from autolr.runtime.learner import Learner
from autolr.runtime.naming import gradients_of, set_gradients
from autolr.runtime.plain import device_of, packed, unpacked
from autolr.runtime.rates import Rates
from autolr.runtime.rivals import Rivals
from autolr.runtime.room import Room
from autolr.runtime.score import Score
from autolr.runtime.step_context import StepContext


class ResumableRivals(Rivals):
    """Rivals that can be put into a checkpoint, and continue from one.

    The run's own weights, optimizer and generators are left to what writes the checkpoint.
    """

    _accumulating = False  # whether gradients wait for the next step
    _busy = False

    @override
    def repeat_step(
        self, loss: Tensor | None, before: StepContext | None, *, stepped: bool
    ) -> None:
        self._busy = True
        super().repeat_step(loss, before, stepped=stepped)
        self._busy, self._accumulating = False, not stepped

    def plan(self, total_steps: int) -> None:
        """Lay every schedule out over another length, as the run turns out to have.

        Args:
            total_steps: Optimizer steps of the run.
        """
        self.total_steps = total_steps
        for run in [self._live, *self._rivals]:
            multipliers = run.candidate.schedule.values(total_steps)
            run.factors = self._rates.factors_of(run.candidate, multipliers)
            if run.annealed:
                assert self.search.probe is not None
                self._anneal(run, self.search.probe)

    def state_dict(self) -> dict[str, Any] | None:
        """Return tensors, by reference, and plain containers, for `resumed`.

        Gradients are among them only while they are accumulated. None when the search was cut
        short in the middle of a step: rivals are not where the run is.
        """
        if self._busy:
            return None
        kept = self._accumulating
        best = self._best
        state = {
            "search": self.search.to_dict(),
            "total_steps": self.total_steps,
            "step": self.step,
            "probe_steps": self.probe_steps,
            "validation_passes": self._scoring.passes,
            "initial": None if self._scoring.initial is None else asdict(self._scoring.initial),
            "dropped": [candidate.to_dict() for candidate in self._dropped],
            "ended": [candidate.to_dict() for candidate in self._ended],
            "changed": self._changed,
            "shares": self._shares,
            "set": [list(place) for place in sorted(self.set_values.places)],
            "copies": self._copies.state_dict(),
            "live": self._live.state_dict(gradients=kept),
            "rivals": [rival.state_dict(gradients=kept) for rival in self._rivals],
            "ends": self._ends.state_dict(),
            "best": None if best is None else best.state_dict(gradients=False),
            "gradients": gradients_of(self._learner) if kept else None,
        }
        stored: dict[str, Any] = packed(state)
        return stored

    @classmethod
    def resumed(
        cls,
        learner: Learner,
        rates: Rates,
        state: Mapping[str, Any],
        strategy: Strategy,
        room: Room | None = None,
    ) -> Self:
        """Return rivals that continue where others were when `state_dict` was called.

        Args:
            learner: The run, with the weights, optimizer and rates that it had then.
            rates: See `Rivals`; of the same base.
            state: What `state_dict` returned; its tensors are copied.
            strategy: That of the search.
            room: See `Rivals`.
        """
        state = unpacked(dict(state), device_of(learner.model))
        search = Progress.from_dict(state["search"], strategy)
        live = Candidate.from_dict(state["live"]["candidate"])
        steps, step = state["total_steps"], state["step"]
        rivals = cls(learner, rates, search, steps, live, step=step, wait=True, room=room)
        rivals._load(state)
        rivals._act()
        return rivals

    def _load(self, state: Mapping[str, Any]) -> None:
        self.probe_steps = state["probe_steps"]
        self._scoring.passes = state["validation_passes"]
        if state["initial"] is not None:
            self._scoring.initial = Score(
                state["initial"]["value"], tuple(state["initial"]["by_batch"])
            )
        self._dropped = list(map(Candidate.from_dict, state["dropped"]))
        self._ended = list(map(Candidate.from_dict, state["ended"]))
        self._changed = state["changed"]
        self._shares = list(state.get("shares", ()))  # not stored by earlier versions
        self.set_values.places = {(path, name) for path, name in state.get("set", ())}  # likewise
        change = self._copies.load_state_dict(state["copies"])
        model, optimizer = self._learner.model, self._learner.optimizer
        self._live.load_state_dict(state["live"], model, optimizer)
        for stored in state["rivals"]:
            candidate = Candidate.from_dict(stored["candidate"])
            rival = self._candidate_run(candidate, self._copies.make())
            rival.load_state_dict(stored, model, optimizer)
            if stored["annealed"]:
                action = self.search.action
                assert isinstance(action, Probe)
                self._anneal(rival, action)
            self._rivals.append(rival)
        if state["best"] is not None:
            self._best = self._copies.make()
            self._best.load_state_dict(state["best"])
        self._ends.load_state_dict(state.get("ends", ()))  # not stored by earlier versions
        if change is not None:
            self._follow(change, stepped=False)
        if state["gradients"] is not None:
            set_gradients(self._learner, state["gradients"])

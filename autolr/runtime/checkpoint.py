"""A search that is under way, as a checkpoint holds it."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Self

import torch
from torch import Tensor
from typing_extensions import override

from autolr.candidate import Candidate
from autolr.online import Probe, Search
from autolr.online.serialization import search_from_dict, search_to_dict
from autolr.runtime.attributes import tensors_of
from autolr.runtime.learner import Learner
from autolr.runtime.plain import packed, unpacked
from autolr.runtime.rates import Rates
from autolr.runtime.rivals import Rivals
from autolr.runtime.step_context import StepContext


class ResumableRivals(Rivals):
    """Rivals that can be put into a checkpoint, and go on from one.

    The run's own weights, optimizer and generators are left to whoever writes the checkpoint.
    """

    _accumulating = False  # whether gradients wait for the next step
    _busy = False

    @override
    def follow(self, loss: Tensor | None, before: StepContext | None, *, stepped: bool) -> None:
        self._busy = True
        super().follow(loss, before, stepped=stepped)
        self._busy, self._accumulating = False, not stepped

    def state_dict(self) -> dict[str, Any] | None:
        """Return tensors, by reference, and plain containers, for `resumed`.

        Gradients are among them only while they are accumulated. None when the search was cut
        short in the middle of a step: rivals are not where the run is.
        """
        if self._busy:
            return None
        kept = self._accumulating
        parameters, _ = tensors_of(self._learner.model)
        best = self._best
        state = {
            "search": search_to_dict(self.search),
            "total_steps": self.total_steps,
            "step": self.step,
            "probe_steps": self.probe_steps,
            "validation_passes": self._scoring.passes,
            "guarded": self._guarded,
            "live": self._live.state_dict(gradients=kept),
            "rivals": [rival.state_dict(gradients=kept) for rival in self._rivals],
            "best": None if best is None else best.state_dict(gradients=False),
            "gradients": [parameter.grad for parameter in parameters] if kept else None,
        }
        found: dict[str, Any] = packed(state)
        return found

    @classmethod
    def resumed(
        cls,
        learner: Learner,
        rates: Rates,
        state: Mapping[str, Any],
        *,
        on_scores: Callable[[Search], None] | None = None,
    ) -> Self:
        """Return rivals that go on where others were when `state_dict` was called.

        Args:
            learner: The run, with the weights, optimizer and rates that it had then.
            rates: See `Rivals`; of the same base.
            state: What `state_dict` returned; its tensors are copied.
            on_scores: See `Rivals`.
        """
        state = unpacked(dict(state), _device(learner))
        search = search_from_dict(state["search"])
        live = Candidate.from_dict(state["live"]["candidate"])
        idle = replace(search, rounds=())  # nothing is due before all is in place
        steps, step = state["total_steps"], state["step"]
        rivals = cls(learner, rates, idle, steps, live, step=step, on_scores=on_scores)
        rivals.search = search
        rivals._load(state)
        rivals._act()
        return rivals

    def _load(self, state: Mapping[str, Any]) -> None:
        self.probe_steps = state["probe_steps"]
        self._scoring.passes = state["validation_passes"]
        self._guarded = state["guarded"]
        model = self._learner.model
        self._live.load_state_dict(state["live"], model)
        for told in state["rivals"]:
            rival = self._candidate_run(Candidate.from_dict(told["candidate"]), self._copy())
            rival.load_state_dict(told, model)
            if told["annealed"]:
                action = self.search.action
                assert isinstance(action, Probe)
                self._anneal(rival, action)
            self._rivals.append(rival)
        if state["best"] is not None:
            self._best = self._copy()
            self._best.load_state_dict(state["best"])
        if state["gradients"] is not None:
            parameters, _ = tensors_of(model)
            for parameter, gradient in zip(parameters, state["gradients"], strict=True):
                parameter.grad = gradient


def _device(learner: Learner) -> torch.device:
    return next((parameter.device for parameter in learner.model.parameters()), torch.device("cpu"))

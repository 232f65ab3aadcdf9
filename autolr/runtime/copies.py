"""The copies of a run that a search holds: what is in them, and how many there is room for."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import compress
from typing import Any

import torch
from torch import Tensor
from torch.nn.parameter import is_lazy

from autolr.rules.switching import begin_rule
from autolr.runtime.exchange import local
from autolr.runtime.learner import Learner
from autolr.runtime.naming import Names
from autolr.runtime.plain import device_of, size
from autolr.runtime.room import Room
from autolr.runtime.snapshot import Snapshot
from autolr.runtime.tensor_memory import copied
from autolr.runtime.trained import Change, Trained, counted

_WATCHED = 4  # steps; the first update of a momentum copy that equals the network changes nothing


class Copies:
    """Makes the copies of a run, and carries them along when what it trains changes.

    Frozen parameters are shared by all copies. As a race begins that may be wrong: a momentum copy
    of the network is frozen too, and its first update is still to come. So frozen parameters of
    the shape of trained ones are kept once for the first steps, and given to the copies where a
    step has changed them.

    Args:
        learner: The run.
        room: How many copies may be held.

    Attributes:
        most_bytes: The most bytes that the copies took at once.
    """

    def __init__(self, learner: Learner, room: Room) -> None:
        self.most_bytes = 0
        self.room = room
        self._learner = learner
        self._trained = Trained(learner.model, learner.optimizer)
        self._before: dict[Tensor, Tensor] = {}  # the first values of frozen parameters
        self._watched_until: int | None = None  # the step; None: there has been no rival yet

    def make(self) -> Snapshot:
        """Copy the run."""
        learner, parameters = self._learner, self._trained.parameters
        return Snapshot(learner.model, learner.optimizer, learner.extras, parameters)

    def make_rival(self, rule: str, step: int) -> Snapshot:
        """Copy the run for a rival; in the copy of another rule the optimizer has no state yet.

        Args:
            rule: That of the rival.
            step: Optimizer steps that the run has made.
        """
        copy = self.make()
        with copy.in_place():
            begin_rule(self._learner.optimizer, rule)
        if self._watched_until is None:
            self._before = {p: copied(p) for p in self._trained.twins}
            self._watched_until = step + _WATCHED
        return copy

    def left(self, held: int) -> tuple[int, str]:
        """Return how many more copies there is room for, on the rank with the least, and why.

        Args:
            held: How many are held already.
        """
        learner, trained = self._learner, self._trained.parameters
        weights, states = size(trained), size(list(learner.optimizer.state.values()))
        begun = states > 0
        step = weights + (states if begun else 2 * weights)  # gradients, and states: Adam's
        copy = 2 * weights + step + size(list(learner.model.buffers()))  # with its average
        needed = 0 if begun else step
        needed += size(self._trained.twins) if self._watched_until is None else 0
        device = device_of(learner.model)
        count, reason = self.room.left(device, copy, needed, held)
        return min(learner.ranks.gather(lambda: count)), reason

    def renew(self, copy: Snapshot) -> Snapshot:
        """Copy the run into the memory of an old copy."""
        return copy.renew(self._trained.parameters)

    def look(self, *, stepped: bool, pending: bool = False) -> Change | None:
        """Return what has changed of what the run trains since the last look.

        Args:
            stepped: Whether the run has trained on a batch since then, and its copies have not.
            pending: Whether the copies have yet to go through a hook that the run has behind it.
        """
        change = self._trained.look(stepped=stepped)
        written = self._changed()
        if written:  # also by means that leave no trace but the values
            self._trained.note(written)
            joined = dict.fromkeys([*(change.joined if change else ()), *written])
            change = replace(change or Change("", hidden=True), joined=tuple(joined))
        if change is None or not change.hidden:
            return change
        gone = (stepped or pending) and not all(p in self._before for p in change.joined)
        return replace(change, reason=_written(change.joined), lost=gone)

    def settle(self, step: int) -> None:
        """Share what the first steps have left as it was.

        Args:
            step: Optimizer steps that the run has made.
        """
        if self._watched_until is not None and step >= self._watched_until:
            self._before = {}

    def follow(self, change: Change, copies: Iterable[Snapshot], *, stepped: bool) -> None:
        """Carry copies along.

        Args:
            change: What has changed; not one that is lost.
            copies: Those that follow.
            stepped: As at the `look`.
        """
        for copy in copies:
            copy.follow(change.joined, change.buffers, stepped=stepped)
            for parameter in change.joined:
                if parameter in self._before:
                    copy.take(parameter, self._before[parameter])
        for parameter in change.joined:
            self._before.pop(parameter, None)

    def unmade(self) -> str | None:
        """Return why no copies can be made now; None if they can."""
        if any(map(is_lazy, self._trained.parameters)):
            return "a lazy module has no weights before the first step"
        return None

    def count_bytes(self, values: Iterable[int]) -> None:
        """Take note of the bytes that all copies take now, on the rank that holds most."""
        own = sum(values) + size(list(self._before.values()))
        self.most_bytes = max(self.most_bytes, *self._learner.ranks.gather(lambda: own))

    def state_dict(self) -> dict[str, Any]:
        """Return plain values, for `load_state_dict`."""
        learner = self._learner
        names = Names(learner.model, learner.optimizer)
        seen = names.by_name(dict.fromkeys(self._trained.parameters))
        trainable = names.by_name(dict.fromkeys(self._trained.trainable))
        return {
            "trained": list(seen),
            "trainable": list(trainable),
            "groups": len(learner.optimizer.param_groups),
            "most_bytes": self.most_bytes,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> Change | None:
        """Take on what `state_dict` returned of the same run; return what has changed since then.

        A checkpoint may be written at the end of an epoch, and what trains change as the next
        one begins.
        """
        learner = self._learner
        names = Names(learner.model, learner.optimizer)
        seen = names.by_tensor(dict.fromkeys(state["trained"]))
        joined = [p for p in self._trained.trainable if p not in seen]
        fewer = names.by_tensor(dict.fromkeys(state["trainable"])).keys() - self._trained.trainable
        self._trained.note([p for p in seen if isinstance(p, Tensor)])
        self.most_bytes, self._watched_until = state["most_bytes"], 0
        same = len(learner.optimizer.param_groups) == state["groups"]
        if same and not joined and not fewer:
            return None
        lost = any(isinstance(parameter, str) for parameter in seen)
        return Change(counted(joined, len(fewer)), tuple(joined), lost=lost)

    def _changed(self) -> list[Tensor]:
        """Return the frozen parameters that differ from their first values, on any rank."""
        if not self._before:
            return []
        flags = [not torch.equal(local(p), local(was)) for p, was in self._before.items()]
        return [*compress(self._before, self._learner.ranks.any(flags))]


def _written(parameters: Sequence[Tensor]) -> str:
    return f"{len(parameters)} frozen parameters are changed by the run itself"

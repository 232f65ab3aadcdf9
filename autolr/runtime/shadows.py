"""Rivals of a run, trained beside it on the very batches that go by."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from autolr.candidate import Candidate
from autolr.errors import DivergedError
from autolr.online import Probe, Result, Search
from autolr.runtime.generators import kept_generators
from autolr.runtime.learner import Learner
from autolr.runtime.moment import Moment
from autolr.runtime.rates import Rates
from autolr.runtime.snapshot import Snapshot


@dataclass
class _Rival:
    """A state that is trained beside the run: a trunk, or an annealed copy of one.

    Attributes:
        snapshot: The state, while it is not in place.
        born: Step of the run at which an annealed copy was made; None for a trunk.
        losses: Training losses of an annealed copy.
        diverged: Whether a loss was not finite; it is not trained any further.
    """

    snapshot: Snapshot
    born: int | None = None
    losses: list[float] = field(default_factory=list)
    diverged: bool = False


class Shadows:
    """Carries out a search inside a run.

    The live run trains one candidate, whoever drives it. After each of its steps `follow` makes
    the same step with every rival: same batch, same generator states. All probes are paired and
    no data is drawn twice. At the end of the search the winner's state is in place of the live
    one, as if the run had been trained with it from its first step.

    Args:
        learner: The run.
        rates: The rates of its optimizer. The owner sets ``rates.factor`` to `factor` before
            every live step.
        search: The search to carry out; `search` is replaced as it goes on.
        total_steps: Optimizer steps of the run.
        live: The candidate that the run trains first; one of the search's.
        step: Optimizer steps that the run has made already.
        on_scores: Called with the search each time that it has taken in scores.
    """

    def __init__(
        self,
        learner: Learner,
        rates: Rates,
        search: Search,
        total_steps: int,
        live: Candidate,
        *,
        step: int = 0,
        on_scores: Callable[[Search], None] | None = None,
    ) -> None:
        self.search = search
        self.live = live
        self.step = step
        self.probe_steps = 0
        self.validation_passes = 0
        self._learner = learner
        self._rates = rates
        self._total_steps = total_steps
        self._on_scores = on_scores
        self._alone = len(search.alive) == 1
        others = [candidate for candidate in search.alive if candidate != live]
        self._trunks = {candidate: _Rival(self._copy()) for candidate in others}
        self._copies: dict[Candidate, _Rival] = {}
        self._act()

    @property
    def searching(self) -> bool:
        """Whether the search is still going on."""
        return isinstance(self.search.action, Probe)

    @property
    def factor(self) -> float:
        """What the run's own rates are multiplied with at the next live step."""
        return self._trunk_factor(self.live)

    def capture(self) -> Moment | None:
        """Return what a live step begins with, for `follow`; None after the search."""
        return Moment.capture(self._learner.optimizer) if self.searching else None

    def follow(self, loss: Tensor | None, before: Moment | None, *, stepped: bool) -> None:
        """Repeat with every rival what the live run has just done.

        Args:
            loss: The live run's loss on the present batch, if it had one.
            before: What `capture` returned when the live run began with the batch.
            stepped: Whether the live run has made an optimizer step (not so while it accumulates
                gradients).

        Raises:
            DivergedError: If every candidate has diverged.
        """
        if before is not None:
            self._train_rivals(before, stepped=stepped)
            self._drop_diverged(loss)
        if stepped:
            self.step += 1
            self._act()

    def _train_rivals(self, before: Moment, *, stepped: bool) -> None:
        after = Moment.capture(self._learner.optimizer)
        live_factor = self._rates.factor
        for candidate, rival in [*self._trunks.items(), *self._copies.items()]:
            factor = live_factor if candidate == self.live else self._trunk_factor(candidate)
            self._train(rival, factor * self._anneal(rival), before, stepped=stepped)
        after.restore()

    def result(self) -> Result:
        """Return what was found and what it cost so far.

        Raises:
            TypeError: If the search is still going on.
        """
        if self.searching:
            raise TypeError("the search is not finished")
        assert self.live.peak is not None
        return Result(
            peak=self.live.peak,
            schedule=self.live.schedule,
            scores=self.search.scores,
            probe_steps=self.probe_steps,
            total_steps=self._total_steps,
            validation_passes=self.validation_passes,
        )

    def visit(self, action: Callable[[], None]) -> None:
        """Call ``action`` with each rival's state in place; generators are left as they were."""
        with kept_generators():
            for rival in [*self._trunks.values(), *self._copies.values()]:
                with rival.snapshot.in_place():
                    action()

    def renew_attributes(self) -> None:
        """Give every rival the plain attributes of the live run, as when an epoch begins."""
        for rival in [*self._trunks.values(), *self._copies.values()]:
            rival.snapshot.renew_attributes()

    def _train(self, rival: _Rival, factor: float, before: Moment, *, stepped: bool) -> None:
        if rival.diverged:
            return
        before.restore()
        with rival.snapshot.in_place(), self._rates.multiplied(factor):
            loss = self._learner.train()
        self.probe_steps += stepped
        if loss is not None:
            rival.losses.append(float(loss))
            rival.diverged = not math.isfinite(rival.losses[-1])

    def _act(self) -> None:
        """Do all that is due at this step of the run."""
        while isinstance(action := self.search.action, Probe):
            if self.step >= action.horizon - action.cooldown and not self._copies:
                self._fork(action)
            if self.step < action.horizon:
                return
            scores = [self._score(candidate) for candidate in action.candidates]
            self._copies = {}
            self.search = self.search.observe(scores)
            self._keep_alive()
            if self._on_scores is not None:
                self._on_scores(self.search)
        if action.candidate != self.live:
            self._promote(action.candidate)
        self._trunks = {}
        self._copies = {}

    def _fork(self, probe: Probe) -> None:
        for candidate in probe.candidates:
            if candidate == self.live:
                snapshot = self._copy()
            else:
                with self._trunks[candidate].snapshot.in_place():
                    snapshot = self._copy()
            self._copies[candidate] = _Rival(snapshot, born=self.step)

    def _score(self, candidate: Candidate) -> float:
        """Return the validation score of a copy, or without validation its last losses' mean."""
        rival = self._copies.get(candidate)
        if rival is None or rival.diverged:
            return math.inf
        with rival.snapshot.in_place(), kept_generators():
            score = self._learner.validate()
        if score is None:
            last = rival.losses[len(rival.losses) // 2 :]
            return sum(last) / len(last) if last else math.inf
        self.validation_passes += 1
        return score

    def _keep_alive(self) -> None:
        """Forget trunks that are out of the race; put the live run's place to a living one."""
        if self.live not in self.search.alive:
            self._promote(self.search.alive[0])
        alive = self.search.alive
        self._trunks = {c: rival for c, rival in self._trunks.items() if c in alive}

    def _drop_diverged(self, loss: Tensor | None) -> None:
        """Take the candidates out whose loss is not finite; replace the live run if it is one."""
        dead = {candidate for candidate, rival in self._trunks.items() if rival.diverged}
        if loss is not None and not torch.isfinite(loss):
            dead.add(self.live)
        if not dead or self._alone:
            return
        survivors = [candidate for candidate in self.search.alive if candidate not in dead]
        if not survivors:
            raise DivergedError(
                f"every rate tried diverged within {self.step + 1} steps, down to "
                f"{self.search.alive[0].peak:.3g}; give lower ones as rates=(low, high)"
            )
        if self.live in dead:
            lower = [c for c in survivors if (c.peak or 0) < (self.live.peak or 0)]
            self._promote(lower[-1] if lower else survivors[0])
        for candidate in dead:
            self.search = self.search.drop(candidate)
            self._trunks.pop(candidate, None)
            self._copies.pop(candidate, None)

    def _promote(self, candidate: Candidate) -> None:
        """Put a trunk's state in place; the live run's becomes a trunk."""
        rival = self._trunks.pop(candidate)
        rival.snapshot.exchange()
        self._trunks[self.live] = rival
        self.live = candidate

    def _copy(self) -> Snapshot:
        learner = self._learner
        return Snapshot(learner.model, learner.optimizer, learner.extras)

    def _trunk_factor(self, candidate: Candidate) -> float:
        assert candidate.peak is not None  # a search fixes every peak
        multiplier = candidate.schedule.at(self.step, self._total_steps)
        return candidate.peak / self._rates.base * multiplier

    def _anneal(self, rival: _Rival) -> float:
        """Return the multiplier of a copy: from 1 linearly to 0 over its life."""
        if rival.born is None:
            return 1.0
        assert isinstance(self.search.action, Probe)
        return 1 - (self.step - rival.born + 0.5) / (self.search.action.horizon - rival.born)

"""What a study will cost: its trials simulated, with scores that are drawn."""

import heapq
import random
from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from autolr.study.hyperband import Hyperband

_DRAWS = 20  # simulated studies; the mean of their steps is exact to a percent or two
_MOST = 10_000  # trials that are simulated, over all draws; of a longer study all is in proportion


@dataclass(frozen=True, slots=True)
class StudyPlan:
    """How the trials of a study are trained.

    Attributes:
        trials: Their number.
        run_steps: Optimizer steps of a whole run.
        hyperband: The brackets; None without pruning.
        pauses: Whether a trial that is not promoted waits with a checkpoint; else it is over.
        workers: Trials at a time. All make their steps at the same pace.
    """

    trials: int
    run_steps: int
    hyperband: Hyperband | None
    pauses: bool = True
    workers: int = 1


@dataclass(frozen=True, slots=True)
class SimulatedPrice:
    """What a study costs.

    Attributes:
        steps: Optimizer steps of all trials, without those of rivals.
        checkpoints: The most trials that had a checkpoint at the same time: those that were paused,
            and those that were trained on from a rung.
    """

    steps: int
    checkpoints: int


def expected(plan: StudyPlan, seed: int = 0) -> SimulatedPrice:
    """Return the mean price of studies in which the trials come in a random order of quality.

    Where a trial is better than another at one rung it is better at all. The checkpoints are the
    most of any of these studies.

    Args:
        plan: How the trials are trained.
        seed: Of the order.
    """
    trials = min(plan.trials, _MOST)
    draws = max(1, min(_DRAWS, _MOST // trials))
    share, generator = plan.trials / trials, random.Random(seed)
    short = StudyPlan(trials, plan.run_steps, plan.hyperband, plan.pauses, plan.workers)
    prices = []
    for _ in range(draws):
        scores = [generator.random() for _ in range(trials)]
        prices.append(simulated(short, lambda number, rung, scores=scores: scores[number]))  # type: ignore[misc]
    steps = sum(price.steps for price in prices) / draws
    return SimulatedPrice(round(share * steps), round(share * max(p.checkpoints for p in prices)))


def simulated(plan: StudyPlan, score: Callable[[int, int], float]) -> SimulatedPrice:
    """Return the price of one study; its workers do what `study.next_action` says.

    Args:
        plan: How the trials are trained.
        score: Returns what a trial, by its number, scores at a rung; finite, and lower is better.
    """
    simulation = _Simulation(plan, score)
    simulation.run()
    return SimulatedPrice(simulation.steps, simulation.most_checkpoints)


class _Simulation:
    def __init__(self, plan: StudyPlan, score: Callable[[int, int], float]) -> None:
        self._plan = plan
        self._score = score
        self._started = 0
        self._scores: defaultdict[tuple[int, int], list[float]] = defaultdict(list)  # sorted
        self._paused: defaultdict[tuple[int, int], list[tuple[float, int]]] = defaultdict(list)
        self._training: list[tuple[int, int, int, int]] = []  # until when, order, trial, step
        self._kept: set[int] = set()  # trials with a checkpoint
        self._order = 0
        self.steps = 0
        self.most_checkpoints = 0

    def run(self) -> None:
        free, now = self._plan.workers, 0
        while True:
            while free and self._begin(now):
                free -= 1
            if not self._training:
                return
            now, _, trial, step = heapq.heappop(self._training)
            free += not self._goes_on(now, trial, step)

    def _begin(self, now: int) -> bool:
        """Have a free worker begin; return whether there is work."""
        places = [place for place in self._paused if self._is_promoted(place)]
        if places:
            place = min(places, key=lambda place: (-place[1], self._paused[place][0]))
            _, trial = heapq.heappop(self._paused[place])
            if not self._paused[place]:
                del self._paused[place]
            self._train(now, trial, place[1])
            return True
        if self._started < self._plan.trials:
            self._train(now, self._started, 0)
            self._started += 1
            return True
        return False

    def _goes_on(self, now: int, trial: int, step: int) -> bool:
        """Judge a trial at a step; return whether its worker trains it on."""
        if step == self._plan.run_steps:
            self._kept.discard(trial)
            return False
        place, score = (self._bracket(trial), step), self._score(trial, step)
        insort(self._scores[place], score)
        promoted = self._promotes(place, score)
        if promoted or self._plan.pauses:
            self._keep(trial)
        else:
            self._kept.discard(trial)
        if promoted:
            self._train(now, trial, step)
        elif self._plan.pauses:
            heapq.heappush(self._paused[place], (score, trial))
        return promoted

    def _train(self, now: int, trial: int, step: int) -> None:
        """Train from a step to the next rung, or the end."""
        end = next((rung for rung in self._rungs(trial) if rung > step), self._plan.run_steps)
        self.steps += end - step
        self._order += 1
        heapq.heappush(self._training, (now + end - step, self._order, trial, end))

    def _keep(self, trial: int) -> None:
        if self._plan.pauses:
            self._kept.add(trial)
            self.most_checkpoints = max(self.most_checkpoints, len(self._kept))

    def _is_promoted(self, place: tuple[int, int]) -> bool:
        """Return whether the best trial that is paused at a rung is promoted: no other is then."""
        return self._promotes(place, self._paused[place][0][0])

    def _promotes(self, place: tuple[int, int], score: float) -> bool:
        hyperband, scores = self._plan.hyperband, self._scores[place]
        return hyperband is None or hyperband.promotes_behind(
            bisect_left(scores, score), len(scores)
        )

    def _bracket(self, trial: int) -> int:
        return 0 if self._plan.hyperband is None else self._plan.hyperband.bracket_of(trial)

    def _rungs(self, trial: int) -> tuple[int, ...]:
        hyperband = self._plan.hyperband
        return () if hyperband is None else hyperband.rungs(self._bracket(trial))

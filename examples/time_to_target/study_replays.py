"""How a study is best begun: `autolr tune` over (peak, profile), replayed on the oracle's curves.

    python -m examples.time_to_target.study_replays --replays 16

The sampler, Hyperband and the promotions are those of the package; only training is replaced. A
trial's losses lie on the mean curves of the oracle's three seeds, between the peaks of the grid,
and deviate from them as one of those seeds does nearby. A first trial with a search has the final
loss, the peak and the price of one of the runs of `AutoLR()` in results.csv.
"""

import argparse
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd

from autolr.schedules import constant
from autolr.study import (
    SEARCHED,
    SEARCHES,
    Action,
    Hyperband,
    Resume,
    Study,
    next_action,
    prior,
    sampler,
)
from examples.time_to_target.freeze_thaw import thawed
from examples.time_to_target.loop import PROFILES
from examples.time_to_target.oracle import load_oracle, oracle_of

RUNS = (2, 3, 5, 7, 10)
_STEPS = 3**7  # of a run: its rungs are whole numbers
_CURVE = {27: "c1", 9: "c2", 3: "c4", 1: "final"}  # by 1 / the share of the run
_LOST = 100.0  # what a run that diverged counts as
_FOLLOWED = "wsd"  # the profile next to the search's own schedule


@dataclass(frozen=True)
class Variant:
    """How a study begins.

    Attributes:
        online: Whether the first trial searches its own peak.
        brackets: Of its Hyperband; 0: no trial is judged.
        thaws: Whether freeze-thaw takes the place of Hyperband.
        constants: Of `autolr.study.prior`, where they differ.
    """

    online: bool = True
    brackets: int = 2
    thaws: bool = False
    constants: dict[str, Any] = field(default_factory=dict)


VARIANTS = {
    "default": Variant(),
    "first rung at T/9": Variant(brackets=3),
    "first rung at T/27": Variant(brackets=4),
    "no rungs": Variant(brackets=0),
    "no search, first rung at T/3": Variant(online=False),
    "no search, first rung at T/9": Variant(online=False, brackets=3),
    "no search, first rung at T/27": Variant(online=False, brackets=4),
    "first at the found peak": Variant(constants={"SHARE": 1.0, "NEARER": 1.0}),
    "scatter of a factor 2": Variant(constants={"SPREAD": math.log(2)}),
    "scatter of a factor 1.25": Variant(constants={"SPREAD": math.log(1.25)}),
    "half of the profiles stay": Variant(constants={"PROFILE_KEPT": 0.5}),
    "nine in ten profiles stay": Variant(constants={"PROFILE_KEPT": 0.9, "COMPARED": -1}),
    "freeze-thaw, T/9 and T/3": Variant(brackets=3, thaws=True),
    "freeze-thaw, T/3": Variant(thaws=True),
}


class Curves:
    """What runs of one workload come to.

    Args:
        name: The workload.
        grid: Rows of the oracle's table.
        searched: Rows of results.csv by `AutoLR()`.
    """

    def __init__(self, name: str, grid: pd.DataFrame, searched: pd.DataFrame) -> None:
        runs = grid[grid.workload == name].sort_values(["profile", "seed", "peak"])
        self.peaks = np.log(np.sort(runs.peak.unique()))
        self.oracle = oracle_of(name, grid=grid)
        own = searched[(searched.workload == name) & (searched.method == "autolr")]
        rows = own[["final", "peak", "total_steps", "run_steps"]].to_numpy(float)
        self.searches: list[tuple[float, float, float]] = [
            (final, peak, made / steps) for final, peak, made, steps in rows.tolist()
        ]
        self._logs = {
            (profile, part): np.log(np.minimum(of[column].to_numpy(float), _LOST)).reshape(
                -1, len(self.peaks)
            )
            for profile, of in runs.groupby("profile")
            for part, column in _CURVE.items()
        }

    def loss(self, peak: float, profile: str, part: int, seed: int) -> float:
        """Return the loss of a run after 1 / ``part`` of its steps.

        Args:
            peak: Of the run.
            profile: Of the run.
            part: See there.
            seed: Which of the oracle's seeds it deviates like.
        """
        logs = self._logs[profile, part]
        mean = logs.mean(0)
        nearest = int(np.argmin(abs(self.peaks - math.log(peak))))
        noise = (logs - mean)[seed, nearest] * math.sqrt(1.5)  # of three seeds
        return float(np.exp(np.interp(math.log(peak), self.peaks, mean) + noise))


class _Replay:
    """One study on the curves of a workload."""

    def __init__(self, curves: Curves, variant: Variant, seed: int) -> None:
        brackets = variant.brackets
        self._curves, self._online = curves, variant.online
        self._hyperband = Hyperband(_STEPS // 3 ** (brackets - 1), _STEPS) if brackets else None
        made = optuna.create_study(sampler=sampler("tpe", seed))
        self._study = Study("memory", made, [], self._hyperband)
        self._generator = np.random.default_rng(seed)
        self._number = seed
        self._made: dict[int, float] = {}
        self.spent = 0.0

    def best(self) -> Iterator[tuple[float, float]]:
        """Yield (runs spent, final loss) of each complete trial, until the last budget."""
        while self.spent < RUNS[-1]:
            action = self._next()
            resumes = isinstance(action, Resume)
            trial = (
                self._study.resume(action.number, promoted=action.promoted)
                if isinstance(action, Resume)
                else self._study.ask()
            )
            searches = self._online and trial.number == 0
            final = self._searched(trial) if searches and not resumes else self._drawn(trial)
            if final is not None:
                yield self.spent, final

    def _next(self) -> Action:
        return next_action(self._study.statuses(), 10**6, self._hyperband)

    def _rungs(self, trial: optuna.Trial) -> tuple[int, ...]:
        bracket = self._study.trial(trial.number).attrs.get("bracket", 0)
        return self._hyperband.rungs(bracket) if self._hyperband else ()

    def _goes_on(self, trial: optuna.Trial, rung: int, loss: float) -> bool:
        return self._study.judge(trial, rung, loss)

    def _seed(self, trial: optuna.Trial) -> int:
        generator = np.random.default_rng([self._number, trial.number])
        return int(generator.integers(3))  # of the oracle

    def _searched(self, trial: optuna.Trial) -> float:
        searches = self._curves.searches
        final, peak, price = searches[int(self._generator.integers(len(searches)))]
        found = {"rule": "fixed", "peak": peak, "schedule": constant().to_dict()}
        attrs = {SEARCHES: ["lr", "schedule"], SEARCHED: True, "run_steps": _STEPS, "found": found}
        self._study.note(trial, attrs)
        for rung in self._rungs(trial):
            loss = self._curves.loss(peak, _FOLLOWED, _STEPS // rung, self._seed(trial))
            self._study.judge(trial, rung, loss)
        self.spent += price
        self._study.complete(trial, final)
        return final

    def _drawn(self, trial: optuna.Trial) -> float | None:
        low, high = np.exp(self._curves.peaks[[0, -1]])
        profile = trial.suggest_categorical("schedule", list(PROFILES))
        peak = trial.suggest_float("lr", low, high, log=True)
        self._study.note(trial, {"found": {"rule": "fixed", "peak": peak}})
        for rung in (*self._rungs(trial), _STEPS):
            made = self._made.get(trial.number, 0.0)
            if rung / _STEPS <= made:
                continue
            self.spent += rung / _STEPS - made
            self._made[trial.number] = rung / _STEPS
            loss = self._curves.loss(peak, profile, round(_STEPS / rung), self._seed(trial))
            if rung < _STEPS and not self._goes_on(trial, rung, loss):
                self._study.pause(trial)
                return None
        self._study.complete(trial, loss)
        return loss


class _Thawing(_Replay):
    """Freeze-thaw in place of Hyperband."""

    def _next(self) -> Action:
        return thawed(self._study.trials, _STEPS)

    def _rungs(self, trial: optuna.Trial) -> tuple[int, ...]:
        return self._hyperband.rungs(0) if self._hyperband else ()

    def _goes_on(self, trial: optuna.Trial, rung: int, loss: float) -> bool:
        self._study.report(trial, rung, loss)
        return False


@contextmanager
def _with(constants: dict[str, Any]) -> Iterator[None]:
    """Have other constants of the prior in a block."""
    before = {name: getattr(prior, name) for name in constants}
    vars(prior).update(constants)
    try:
        yield
    finally:
        vars(prior).update(before)


def ratios(curves: Curves, variant: Variant, seed: int) -> list[float]:
    """Return the log of final / oracle at each of `RUNS`, of one replay.

    Args:
        curves: Of the workload.
        variant: How the study begins.
        seed: Of the sampler.
    """
    with _with(variant.constants):
        replay = _Thawing if variant.thaws else _Replay
        finished = list(replay(curves, variant, seed).best())
    reached = [min((loss for at, loss in finished if at <= runs), default=_LOST) for runs in RUNS]
    return [math.log(min(curves.oracle.ratio(loss), _LOST)) for loss in reached]


def main() -> None:
    """Print the geometric mean of final / oracle at each budget, for each variant."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replays", type=int, default=16, help="of each workload")
    parser.add_argument("--variants", nargs="+", choices=list(VARIANTS), default=list(VARIANTS))
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    searched = pd.read_csv(Path(__file__).with_name("results.csv"))
    names = sorted(searched[searched.method == "autolr"].workload.unique())
    workloads = [Curves(name, load_oracle(), searched) for name in names]
    print(f"{'after T of steps':30} {'  '.join(f'{runs:5}' for runs in RUNS)}")
    for name in arguments.variants:
        logs = [
            ratios(curves, VARIANTS[name], seed)
            for curves in workloads
            for seed in range(arguments.replays)
        ]
        means = np.exp(np.mean(logs, axis=0))
        print(f"{name:30} {'  '.join(f'{mean:.3f}' for mean in means)}", flush=True)


if __name__ == "__main__":
    main()

"""Which early number picks the peak that is best in the end: a score, or a forecast?

    python -m examples.time_to_target.forecasts [--stored]

compares the ways of choosing on the curves of the oracles, and on runs with averaged scores that
forecasts.csv keeps; those that it lacks are made first. ``--stored`` leaves the latter out.
"""

import argparse
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from examples.time_to_target import forecast_runs
from examples.time_to_target.forecast_laws import LAWS, Curve, expected
from examples.time_to_target.forecast_runs import BEFORE_CHECKS, CHECKS, MARKS, RACE, ScoredRun
from examples.time_to_target.hard_oracle import DEFAULT, SCHEDULES, load_hard_oracle
from examples.time_to_target.hard_oracle import oracle_of as hard_oracle_of
from examples.time_to_target.loop import CHECKPOINTS, PROFILES, checkpoints
from examples.time_to_target.oracle import CURVE, load_oracle
from examples.time_to_target.workloads import HARD_STARTS, make

LIVE = (
    *("mlp_flights", "dropnet_mnist5k", "finetune_digits", "mf_movielens"),
    *("parity", "vit_digits", "deep_relu", "lora_digits"),
)
_TIMES = (RACE, 0.045, 0.075, 0.115, 0.23)  # of the run: when the live runs are compared
_RUNGS = (6, 9, 12)  # 27ths of it: when the stored ones are, with 4 scores and more
_MOST = 100.0  # what a run that was lost counts as
_SIZE, _SHARE = 0.03, 0.1  # a tie: of the best score, of what it has gained
_MARGIN, _STALL = 0.003, 0.22  # of a rival's: see `autolr.online.Thresholds`
_SAME = 0.003  # of a final: what differs by less is no matter

Regrets = Mapping[str, Sequence[float]]
"""Final of the pick / best final, of each group of runs, by the way of choosing."""


@dataclass(frozen=True)
class Group:
    """Runs that differ in their peaks, which rise, at a time.

    Attributes:
        present: The score that each has.
        averaged: The same of the averages of their last weights; empty where there are none.
        curves: What is forecast: the curve of averages where there are some.
        raw: The curves of their scores.
        finals: What each ends at.
        softening: What ratios add to finals.
    """

    present: Sequence[float]
    averaged: Sequence[float]
    curves: Sequence[Curve]
    raw: Sequence[Curve]
    finals: Sequence[float]
    softening: float

    def picks(self) -> dict[str, int]:
        """Return the index that each way of choosing takes."""
        numbers = {"score": self.present}
        if self.averaged:
            numbers["averaged score"] = self.averaged
        for law in LAWS:
            curves = self.raw if law == "bound" else self.curves
            numbers[f"forecast, {law}"] = [expected(law, curve) for curve in curves]
        best = {name: int(np.argmin(each)) for name, each in numbers.items()}
        base = self.averaged or self.present
        return best | {"lowest tied": _lowest_tied(base, self.raw[0].scores[0])}

    def regret(self, index: int) -> float:
        """Return final / best final of a pick."""
        best = min(self.finals) + self.softening
        return min(_MOST, (self.finals[index] + self.softening) / best)


def _lowest_tied(scores: Sequence[float], initial: float) -> int:
    best = min(scores)
    gained = initial - best
    tie = min(_SIZE * abs(best), _SHARE * gained) if gained > 0 else _SIZE * abs(best)
    return next(k for k, score in enumerate(scores) if score <= best + tie)


def regrets(groups: Iterable[Group]) -> Regrets:
    """Return the regrets of groups, by the way of choosing."""
    by_way = defaultdict[str, list[float]](list)
    for group in groups:
        for way, index in group.picks().items():
            by_way[way].append(group.regret(index))
    return by_way


def of_oracles(rung: int) -> Iterator[Group]:
    """Yield the stored runs of the oracles, as they are at a 27th of the run."""
    untrained: dict[tuple[str, int], float] = {}
    for profile, runs in _stored():
        name, seed = str(runs.workload.iloc[0]), int(runs.seed.iloc[0])
        if (name, seed) not in untrained:
            task = make(name, seed)
            untrained[name, seed] = task.validate(task.model)
        known = CHECKPOINTS.index(rung) + 1
        steps = [0, *checkpoints(int(runs.steps.max()))[:known]]
        rows = runs.sort_values("peak")
        scores = rows[CURVE[:known]].to_numpy()
        schedule = (PROFILES | SCHEDULES)[profile].values(int(runs.steps.max()))
        curves = [
            Curve(steps, [untrained[name, seed], *map(float, row)], schedule) for row in scores
        ]
        present = [curve.scores[-1] for curve in curves]
        yield Group(present, (), curves, curves, list(rows.final), _softening(name))


def _stored() -> Iterator[tuple[str, pd.DataFrame]]:
    hard = load_hard_oracle()
    known = hard[hard.profile.isin(SCHEDULES)]
    for runs in (load_oracle(), known[known.profile != DEFAULT]):
        for (_, _, profile), each in runs.groupby(["workload", "seed", "profile"]):
            yield str(profile), each


def _softening(workload: str) -> float:
    return hard_oracle_of(workload).softening if workload in HARD_STARTS else 0.0


def group_of(runs: Sequence[ScoredRun], mark: float) -> Group:
    """Return runs of one task and seed as they are at one of MARKS."""
    known = MARKS.index(mark) + 1
    workload = runs[0].key.workload
    total = make(workload).steps
    steps = [0, *(max(2, round(share * total)) for share in MARKS[:known])]
    schedules = [forecast_runs.multipliers(total, run.key) for run in runs]

    def curves(kind: str) -> list[Curve]:
        return [
            Curve(steps, [run.initial, *getattr(run, kind)[:known]], schedule)
            for run, schedule in zip(runs, schedules, strict=True)
        ]

    averaged, raw = curves("averaged"), curves("present")
    present = [curve.scores[-1] for curve in raw]
    latest = [curve.scores[-1] for curve in averaged]
    finals = [run.final for run in runs]
    return Group(present, latest, averaged, raw, finals, _softening(workload))


def _by_task(runs: Iterable[ScoredRun]) -> list[list[ScoredRun]]:
    groups = defaultdict[tuple[str, int], list[ScoredRun]](list)
    for run in runs:
        groups[run.key.workload, run.key.seed].append(run)
    return list(groups.values())


def races(runs: Iterable[ScoredRun], mark: float) -> Iterator[Group]:
    """Yield the races of the live runs, as they are at one of MARKS."""
    for each in _by_task(run for run in runs if run.key.at == 0):
        yield group_of(sorted(each, key=lambda run: run.key.peak), mark)


@dataclass(frozen=True)
class Verdicts:
    """How often a way of choosing is right that a rival is better than the run, or that it is not.

    Attributes:
        right: How many of its verdicts hold at the end.
        counted: How many there are: with finals that differ.
        regrets: Final / the best of the run and its two rivals, where its verdicts are followed.
    """

    right: int
    counted: int
    regrets: tuple[float, ...]


def verdicts(runs: Sequence[ScoredRun]) -> dict[str, Verdicts]:
    """Return the verdicts of each way of choosing on half and twice the rate at both checks."""
    made = defaultdict[str, list[tuple[int, int, float]]](list)
    for each in _by_task(runs):
        for (start, end), before in zip(CHECKS, BEFORE_CHECKS, strict=True):
            rivals = sorted((r for r in each if r.key.at == start), key=lambda r: r.key.factor)
            (run,) = (r for r in each if r.key.at == 0 and r.key.peak == rivals[0].key.peak)
            group = group_of([run, *rivals], end)
            was = run.averaged[MARKS.index(before)]
            for way, numbers in _numbers(group, was).items():
                made[way].append(_judged(group, numbers))
    return {
        way: Verdicts(
            sum(a for a, _, _ in each), sum(b for _, b, _ in each), tuple(c for *_, c in each)
        )
        for way, each in made.items()
    }


def _numbers(group: Group, was: float) -> dict[str, list[float]]:
    """Return what each way compares: of the run, and of half and twice its rate."""
    run, *rivals = group.averaged
    needed = _MARGIN * abs(run) + _STALL * max(0.0, was - run)
    numbers = {
        "no check": [0.0, 1.0, 1.0],
        "score": list(group.present),
        "averaged score": list(group.averaged),
        "averaged score, by a share of the progress": [run, *(r + needed for r in rivals)],
        "averaged score, a lower rate by that share": [run, rivals[0] + needed, *rivals[1:]],
    }
    for law in LAWS:
        curves = group.raw if law == "bound" else group.curves
        numbers[f"forecast, {law}"] = [expected(law, curve) for curve in curves]
    return numbers


def _judged(group: Group, numbers: Sequence[float]) -> tuple[int, int, float]:
    run, *rivals = (final + group.softening for final in group.finals)
    differing = [k for k, final in enumerate(rivals, start=1) if abs(final - run) > _SAME * run]
    right = sum((numbers[k] < numbers[0]) == (group.finals[k] < group.finals[0]) for k in differing)
    return right, len(differing), group.regret(int(np.argmin(numbers)))


def _mean(values: Sequence[float]) -> float:
    return float(np.exp(np.log(values).mean()))


def table(columns: Mapping[str, Regrets]) -> Iterator[str]:
    """Yield the lines of a table: the geometric mean and the worst regret at each time."""
    yield f"| chosen by | {' | '.join(columns)} |"
    yield f"|{' --- |' * (len(columns) + 1)}"
    for way in next(iter(columns.values())):
        cells = [f"{_mean(each[way]):.3f}, {max(each[way]):.2f}" for each in columns.values()]
        yield f"| {way} | {' | '.join(cells)} |"


def _verdict_table(made: Mapping[str, Verdicts]) -> Iterator[str]:
    yield "| a rival is taken by | right | final / best of three | worst |"
    yield f"|{' --- |' * 4}"
    for way, each in made.items():
        cells = [f"{each.right} of {each.counted}", f"{_mean(each.regrets):.3f}"]
        yield f"| {way} | {' | '.join([*cells, f'{max(each.regrets):.2f}'])} |"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stored", action="store_true", help="only the curves of the oracles")
    parser.add_argument("--workloads", nargs="+", choices=LIVE, default=LIVE, metavar="NAME")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    args = parser.parse_args()
    times = {f"{rung / 27:.0%}": regrets(of_oracles(rung)) for rung in _RUNGS}
    print("Stored curves:", *table(times), sep="\n", end="\n\n")
    if args.stored:
        return
    forecast_runs.compute(args.workloads, args.seeds)
    runs = [
        run
        for run in forecast_runs.stored()
        if run.key.workload in args.workloads and run.key.seed in args.seeds
    ]
    races_at = {f"{mark:.1%}": regrets(races(runs, mark)) for mark in _TIMES}
    print("Races:", *table(races_at), sep="\n", end="\n\n")
    print("Checks:", *_verdict_table(verdicts(runs)), sep="\n")


if __name__ == "__main__":
    main()

"""Studies by several packages within one budget, and the table over them.

    python -m examples.time_to_target.peers --workloads logreg_digits --seeds 5 --methods optuna_tpe

A workload of `examples.time_to_target.workloads` is searched over (peak, profile) and paid for in
steps, a joint one over its eight settings and paid for in FLOPs. Studies that the file has are not
run again. `autolr_tune` runs on joint workloads here, `live_studies` runs it on the others.
"""

import argparse
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import torch

from examples.time_to_target.joint import random_runs
from examples.time_to_target.joint.problem import Joint
from examples.time_to_target.joint.workloads import WORKLOADS as JOINT
from examples.time_to_target.oracle import load_oracle, oracle_of
from examples.time_to_target.peers.budget import Budget, Spent
from examples.time_to_target.peers.methods import METHODS, method
from examples.time_to_target.peers.peak_profile import PeakProfile
from examples.time_to_target.peers.problem import Problem
from examples.time_to_target.peers.records import append, load, table
from examples.time_to_target.workloads import HELD_OUT, WORKLOADS


def main(argv: Sequence[str] | None = None) -> None:
    """Run the studies that a file lacks; print what each method reached by each budget."""
    parser = argparse.ArgumentParser(description=__doc__)
    names = [*WORKLOADS, *HELD_OUT, *JOINT]
    parser.add_argument("--workloads", nargs="+", choices=names, required=True)
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=list(METHODS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[5])
    parser.add_argument("--budgets", nargs="+", type=float, default=[3, 5, 10])
    parser.add_argument("--scale", type=float, default=1.0, help="of the length of runs")
    parser.add_argument("--out", type=Path, default=Path("peers.csv"))
    arguments = parser.parse_args(argv)
    torch.set_num_threads(1)
    rows = load(arguments.out)
    whole = rows[rows.runs >= max(arguments.budgets)]
    done = set(whole[["method", "workload", "seed"]].itertuples(index=False, name=None))
    for workload in arguments.workloads:
        for seed in arguments.seeds:
            for name in arguments.methods:
                if (name, workload, seed) not in done:
                    budget = Budget(
                        _problem(workload, seed, arguments.scale), max(arguments.budgets)
                    )
                    with suppress(Spent):
                        method(name)(budget, seed)
                    append(arguments.out, name, seed, workload, budget)
    rows = load(arguments.out)
    rows = rows[rows.workload.isin(arguments.workloads) & rows.method.isin(arguments.methods)]
    rows = rows[rows.seed.isin(arguments.seeds)]
    print(table(rows, _oracles(arguments.workloads), arguments.budgets))


def _problem(workload: str, seed: int, scale: float) -> Problem:
    return Joint(workload, seed) if workload in JOINT else PeakProfile(workload, seed, scale)


def _oracles(workloads: Sequence[str]) -> dict[str, float]:
    grid = load_oracle()
    single = {name: oracle_of(name, grid=grid).loss for name in workloads if name not in JOINT}
    return {**single, **random_runs.oracles()}


if __name__ == "__main__":
    main()

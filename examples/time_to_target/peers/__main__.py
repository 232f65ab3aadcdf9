"""Studies by several packages within one budget, and the table over them.

    python -m examples.time_to_target.peers --workloads logreg_digits --seeds 5 --methods optuna_tpe

A workload of `examples.time_to_target.workloads` is searched over (peak, profile) and paid for in
steps, a joint one over its eight settings and paid for in FLOPs. Studies that the file has are not
run again; without names, `--methods` prints the table only. `autolr_tune` runs on joint workloads
here, `live_studies` runs it on the others.
"""

import argparse
from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import product
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
    """Run the studies that a file lacks; print what each method in it reached by each budget."""
    parser = argparse.ArgumentParser(description=__doc__)
    names = [*WORKLOADS, *HELD_OUT, *JOINT]
    parser.add_argument("--workloads", nargs="+", choices=names, required=True)
    parser.add_argument("--methods", nargs="*", choices=list(METHODS), default=list(METHODS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[5])
    parser.add_argument("--budgets", nargs="+", type=float, default=[3, 5, 10])
    parser.add_argument("--out", type=Path, default=Path("peers.csv"))
    parser.add_argument("--losses", action="store_true", help="print them, not over the oracle's")
    arguments = parser.parse_args(argv)
    torch.set_num_threads(1)
    studies = product(arguments.workloads, arguments.seeds, arguments.methods)
    _run_missing(studies, max(arguments.budgets), arguments.out)
    rows = load(arguments.out)
    rows = rows[rows.workload.isin(arguments.workloads) & rows.seed.isin(arguments.seeds)]
    chosen = arguments.workloads
    oracles = dict.fromkeys(chosen, 1.0) if arguments.losses else _oracles(chosen)
    print(table(rows, oracles, arguments.budgets))


def _run_missing(studies: Iterable[tuple[str, int, str]], runs: float, path: Path) -> None:
    """Run the studies (workload, seed, method) that a file lacks, or has for a lower budget."""
    rows = load(path)
    whole = rows[rows.runs >= runs]
    done = set(whole[["workload", "seed", "method"]].itertuples(index=False, name=None))
    for workload, seed, name in studies:
        if (workload, seed, name) not in done:
            budget = Budget(_problem(workload, seed), runs)
            with suppress(Spent):
                method(name)(budget, seed)
            append(path, name, seed, workload, budget)


def _problem(workload: str, seed: int) -> Problem:
    return Joint(workload, seed) if workload in JOINT else PeakProfile(workload, seed)


def _oracles(workloads: Sequence[str]) -> dict[str, float]:
    """Return the loss of each workload's oracle.

    Raises:
        LookupError: If there is none yet.
    """
    grid, joint = load_oracle(), random_runs.oracles()
    found = {}
    for name in workloads:
        if name in JOINT and name not in joint:
            raise LookupError(f"no oracle of {name!r}: run python -m {random_runs.__name__}")
        found[name] = joint[name] if name in JOINT else oracle_of(name, grid=grid).loss
    return found


if __name__ == "__main__":
    main()

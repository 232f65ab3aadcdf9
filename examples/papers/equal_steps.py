"""AutoLRS and schedule-free against a tuned wsd, all steps counted.

    python -m examples.papers.equal_steps [--stored]

The tuned wsd has one run of T at the best of nine peaks of seed 0, as of oracle.csv. The first
table is of stored runs (results.csv): schedule-free at its default has T steps too, AutoLRS T and
about T for its search. In the second one, which --stored leaves out, AutoLRS has a run of T/2, so
that run and search make T together, and schedule-free the best of three rates of seed 0.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from examples import time_to_target
from examples.papers.runs import SEEDS, geometric, kept
from examples.time_to_target.loop import train
from examples.time_to_target.oracle import load_oracle
from examples.time_to_target.single_runs import autolrs
from examples.time_to_target.workloads import WORKLOADS, make

TRAINED = ("logreg_digits", "mlp_flights", "mf_movielens", "finetune_digits")  # of the second table
RATES = (0.0025, 0.01, 0.04)  # of AdamWScheduleFree; the first is its default
CLAIMS = """\
Claim (Jin et al. 2021, arXiv:2105.10762, AutoLRS): 1.22, 1.43 and 1.5 times faster than the
schedules of the original papers, on ResNet-50, a Transformer and BERT.
Claim (Defazio et al. 2024, arXiv:2405.15682): schedule-free reaches state-of-the-art results of
schedules without knowing the length of the run."""


def main() -> None:
    """Print final loss / that of the tuned wsd for each method and task."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stored", action="store_true", help="make no runs")
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    only_stored = parser.parse_args().stored
    print(CLAIMS, "\n")
    print("final / tuned wsd, geometric mean over seeds 0 1 2")
    methods = {"schedulefree": "schedule-free, T", "autolrs": "AutoLRS, 2 T"}
    print(f"{'':18}" + "".join(f"{title:>20}" for title in methods.values()))
    stored = {name: [_stored(method, name) for method in methods] for name in WORKLOADS}
    for name, ratios in stored.items():
        print(f"{name:18}" + "".join(f"{geometric(one):>20.3f}" for one in ratios))
    means = [geometric(np.concatenate(column)) for column in zip(*stored.values(), strict=True)]
    print(f"{'all':18}" + "".join(f"{mean:>20.3f}" for mean in means))
    if not only_stored:
        _print_trained()


def _print_trained() -> None:
    print(f"\n{'':18}{'schedule-free, tuned':>22}{'AutoLRS, T in all':>20}", flush=True)
    for name in TRAINED:
        ends = [_tuned_schedule_free(name), [_autolrs(name, seed) for seed in SEEDS]]
        cells = [geometric(np.array(one) / tuned_wsd(name)) for one in ends]
        print(f"{name:18}{cells[0]:>22.3f}{cells[1]:>20.3f}", flush=True)


def tuned_wsd(name: str) -> NDArray[np.float64]:
    """Return the finals of wsd at the best of nine peaks of seed 0, shape (seeds,)."""
    grid = load_oracle()
    of = grid[(grid.workload == name) & (grid.profile == "wsd")]
    finals = of.pivot(index="peak", columns="seed", values="final").to_numpy(dtype=np.float64)
    return np.asarray(finals[int(np.argmin(finals[:, 0]))])


def _stored(method: str, name: str) -> NDArray[np.float64]:
    """Return final / tuned wsd of a method of results.csv at each seed."""
    rows = pd.read_csv(Path(time_to_target.__path__[0]) / "results.csv")
    of = rows[(rows.method == method) & (rows.workload == name) & (rows.scale == 1)]
    finals = of.set_index("seed").final.loc[list(SEEDS)].to_numpy(dtype=np.float64)
    return np.asarray(finals / tuned_wsd(name))


def _tuned_schedule_free(name: str) -> list[float]:
    first = [_schedule_free(name, rate, SEEDS[0]) for rate in RATES]
    rate = RATES[int(np.argmin(first))]
    return [_schedule_free(name, rate, seed) for seed in SEEDS]


def _schedule_free(name: str, rate: float, seed: int) -> float:
    from schedulefree import AdamWScheduleFree

    def made() -> float:
        task = make(name, seed)
        return train(task, AdamWScheduleFree(task.parameters(), lr=rate), None).final

    return kept((name, seed, 1.0, rate, "schedule-free"), made)


def _autolrs(name: str, seed: int) -> float:
    return kept((name, seed, 0.5, 0.0, "autolrs"), lambda: autolrs(make(name, seed, 0.5)).final)


if __name__ == "__main__":
    main()

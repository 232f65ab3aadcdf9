"""AutoLRS and schedule-free against a tuned wsd, all steps counted.

    python -m examples.papers.equal_steps

AutoLRS has half of the steps for its run, so that run and search make T together; wsd has one run
of T at a peak that was tuned once, on seed 0. Schedule-free has one run of T too, at its default
rate and at the best of five, tuned on seed 0 as well. The table has all three seeds: what was tuned
has an advantage on the first.
"""

import warnings

import numpy as np
import torch
from numpy.typing import NDArray

from examples.papers.runs import SEEDS, best_of, finals, geometric, kept
from examples.time_to_target.loop import PROFILES, train
from examples.time_to_target.oracle import load_oracle
from examples.time_to_target.single_runs import autolrs
from examples.time_to_target.workloads import make

WORKLOADS = ("logreg_digits", "mlp_flights")
RATES = (0.0025, 0.00063, 0.01, 0.04, 0.16)  # of AdamWScheduleFree; the first is its default
CLAIMS = """\
Claim (Jin et al. 2021, arXiv:2105.10762, AutoLRS): 1.22, 1.43 and 1.5 times faster than the
schedules of the original papers, on ResNet-50, a Transformer and BERT.
Claim (Defazio et al. 2024, arXiv:2405.15682): schedule-free reaches state-of-the-art results of
schedules without knowing the length of the run."""


def main() -> None:
    """Print final loss / that of the tuned wsd for each method, task and seed."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    print(CLAIMS, "\n")
    print("final / tuned wsd at T steps in all")
    print(f"{'':28}" + "".join(f"{name:>18}" for name in WORKLOADS) + f"{'all':>8}")
    rows: dict[str, list[NDArray[np.float64]]] = {}
    for name in WORKLOADS:
        tuned = _wsd(name)
        rates = np.array([[_schedule_free(name, rate, seed) for seed in SEEDS] for rate in RATES])
        ends = {
            "AutoLRS, T/2 and its search": np.array([_autolrs(name, seed, 0.5) for seed in SEEDS]),
            "AutoLRS, T and its search": np.array([_autolrs(name, seed, 1.0) for seed in SEEDS]),
            "schedule-free, default rate": rates[0],
            "schedule-free, tuned rate": rates[int(np.argmin(rates[:, 0]))],
        }
        for method, end in ends.items():
            rows.setdefault(method, []).append(end / tuned)
    for method, ratios in rows.items():
        cells = "".join(f"{geometric(one):>18.3f}" for one in ratios)
        print(f"{method:28}{cells}{geometric(np.concatenate(ratios)):>8.3f}")


def _wsd(name: str) -> NDArray[np.float64]:
    """Return the finals of wsd at the best peak of seed 0."""
    grid = load_oracle()
    of = grid[(grid.workload == name) & (grid.profile == "wsd") & (grid.seed == 0)]
    peak, _ = best_of(of.peak.tolist(), of.final.tolist())
    (of_seeds,) = finals(name, [(peak, "wsd")], PROFILES)
    return np.asarray(of_seeds)


def _schedule_free(name: str, rate: float, seed: int) -> float:
    from schedulefree import AdamWScheduleFree

    def made() -> float:
        task = make(name, seed)
        return train(task, AdamWScheduleFree(task.parameters(), lr=rate), None).final

    return kept((name, seed, 1.0, rate, "schedule-free"), made)


def _autolrs(name: str, seed: int, scale: float) -> float:
    return kept((name, seed, scale, 0.0, "autolrs"), lambda: autolrs(make(name, seed, scale)).final)


if __name__ == "__main__":
    main()

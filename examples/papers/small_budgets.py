"""REX and UBA against the usual profiles in runs of 1 to 100 % of the steps.

    python -m examples.papers.small_budgets [--workloads NAME ...] [--budgets 0.1 ...]

For each budget every schedule gets the best of its peaks on seed 0; the table is of seeds 1 and
2, so that no peak was chosen on what is shown.
"""

import argparse

import numpy as np
from numpy.typing import NDArray

from autolr.schedules import Schedule, cosine, linear, rex, step, uba
from examples.papers.runs import STACKED, finals, geometric
from examples.time_to_target.workloads import make

WORKLOADS = STACKED[:2]  # a run of the third takes as long as all of theirs
BUDGETS = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0)
SCHEDULES: dict[str, Schedule] = {
    "linear": linear(),
    "cosine": cosine(),
    "30-60-90": step(),
    "rex": rex(),
    "uba(0.5)": uba(0.5),
    "uba(1)": uba(1.0),
    "uba(5)": uba(5.0),
}
CHOSEN_ON, SHOWN = 0, (1, 2)
CLAIMS = """\
Claim (Chen, Wolfe & Kyrillidis 2022, arXiv:2107.04197): REX matches or exceeds the usual decays at
low and at high budgets.
Claim (Tang et al. 2025, arXiv:2505.24452): UBA "consistently surpasses the commonly-used schedules"
under different training budgets."""


def main() -> None:
    """Print final loss / that of linear for each schedule and budget."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workloads", nargs="+", choices=STACKED, default=WORKLOADS)
    parser.add_argument("--budgets", nargs="+", type=float, default=BUDGETS)
    arguments = parser.parse_args()
    print(CLAIMS, "\n")
    names = ", ".join(arguments.workloads)
    print(f"final / linear, geometric mean over {names} and seeds {SHOWN}")
    print(f"{'budget':8}" + "".join(f"{name:>10}" for name in SCHEDULES))
    for budget in arguments.budgets:
        ratios = {name: list[float]() for name in SCHEDULES}
        for workload in arguments.workloads:
            ends = _ends(workload, budget)
            for name, end in ends.items():
                ratios[name] += (end / ends["linear"]).tolist()
        cells = "".join(f"{geometric(column):>10.3f}" for column in ratios.values())
        print(f"{f'{budget:.0%}':8}{cells}", flush=True)


def _ends(workload: str, budget: float) -> dict[str, NDArray[np.float64]]:
    """Return the final losses of each schedule on the seeds that are shown."""
    peaks = make(workload).peaks[3:8]
    configs = [(peak, name) for name in SCHEDULES for peak in peaks]
    runs = finals(workload, configs, SCHEDULES, seeds=(CHOSEN_ON, *SHOWN), scale=budget)
    by_schedule = runs.reshape(len(SCHEDULES), len(peaks), -1)
    return {
        name: of[int(np.argmin(of[:, 0])), 1:]
        for name, of in zip(SCHEDULES, by_schedule, strict=True)
    }


if __name__ == "__main__":
    main()

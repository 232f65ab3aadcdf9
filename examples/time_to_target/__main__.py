"""Run what is missing, print the table, draw the figure.

python -m examples.time_to_target --seeds 3 --jobs 2
"""

import argparse
import importlib.metadata
import platform
import shlex
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from rich.console import Console

from examples.time_to_target import figure, harm, results, table
from examples.time_to_target.hard_oracle import load_hard_oracle
from examples.time_to_target.hard_oracle import oracle_of as hard_oracle_of
from examples.time_to_target.oracle import Oracle, load_oracle, oracle_of
from examples.time_to_target.oracle_tests import with_test

_README = Path(__file__).with_name("README.md")
_BEGIN, _END = "<!-- results -->", "<!-- /results -->"
_PACKAGES = (
    "torch", "lightning", "optuna", "schedulefree", "prodigyopt", "dog-optimizer", "dadaptation"
)  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; return 1 if a run failed, which the next call tries again."""
    # here: with --help alone nothing heavy is imported; workers import what they need themselves
    from examples.time_to_target.loop import PROFILES
    from examples.time_to_target.methods import LIVE, METHODS
    from examples.time_to_target.replay import TUNERS
    from examples.time_to_target.workloads import ALL, GROUPS, WORKLOADS, expanded

    parser = argparse.ArgumentParser(prog="python -m examples.time_to_target", description=__doc__)
    options = (
        ("--workloads", list(WORKLOADS), [*ALL, *GROUPS]),
        ("--methods", list(METHODS), METHODS),
        ("--harm", ["autolr"], METHODS),
    )
    for option, usual, names in options:
        listed = f"{len(usual)} by default, of: {', '.join(names)}"
        parser.add_argument(
            option, nargs="+", choices=names, default=usual, metavar="NAME", help=listed
        )
    parser.add_argument(
        "--seeds",
        nargs="+",
        type=int,
        default=[3],
        metavar="N",
        help="one number: how many; several: which",
    )
    parser.add_argument("--scale", type=float, default=1.0, help="of the runs' length")
    parser.add_argument("--jobs", type=int, default=2, help="worker processes")
    parser.add_argument("--out", type=Path, default=Path("time_to_target_results"), help="folder")
    parser.add_argument("--live", action="store_true", help="run the tuners for real as well")
    parser.add_argument(
        "--profiles",
        nargs="+",
        choices=list(PROFILES),
        default=list(PROFILES),
        metavar="NAME",
        help=f"of the oracle's grid; all, or of: {', '.join(PROFILES)}",
    )
    parser.add_argument("--readme", action="store_true", help="write the table into the README")
    args = parser.parse_args(argv)

    if len(args.seeds) == 1 and args.seeds[0] < 1:
        parser.error("argument --seeds: one number is how many, at least 1")
    args.workloads = expanded(args.workloads)
    methods = list(args.methods)
    if args.live:
        methods += [name + LIVE for name in TUNERS if name in args.methods]
    seeds = range(args.seeds[0]) if len(args.seeds) == 1 else args.seeds
    jobs = [
        results.Job(method, workload, seed, args.scale)
        for workload in args.workloads
        for seed in seeds
        for method in methods
    ]
    failed = _run(args.out, jobs, args.jobs)
    _report(args, jobs, methods)
    return int(failed > 0)


def _run(folder: Path, jobs: Sequence[results.Job], workers: int) -> int:
    """Run what is missing; return how many runs failed."""
    failed = 0
    for job, error in results.run_missing(folder, jobs, workers):
        failed += bool(error)
        end = error or "done"
        print(f"{job.method} on {job.workload}, seed {job.seed}: {end}", file=sys.stderr)
    return failed


def _report(args: argparse.Namespace, jobs: Sequence[results.Job], methods: Sequence[str]) -> None:
    """Print the table of these jobs, write the figure, and with ``--readme`` update the README."""
    rows = results.load(args.out)
    wanted = {(job.method, job.workload, job.seed, job.scale) for job in jobs}
    keys = rows[list(results.KEY)].itertuples(index=False, name=None)
    rows = rows[[key in wanted for key in keys]]
    oracles = _oracles(args.workloads, args.scale, args.profiles)
    defaults = harm.defaults_of(rows, args.scale)
    lines = table.lines(rows, oracles, methods, defaults)
    if not lines:
        print("no oracle to compare with: run python -m examples.time_to_target.oracle")
        return
    console = Console(width=None if sys.stdout.isatty() else 200)
    console.print(table.rich_table(lines))
    for method in args.harm:
        if worst := harm.harms(rows[rows.method == method], defaults):
            console.print(harm.rich_table(method, worst))
    figure.draw(lines, args.out / "figure.png")
    print(f"{args.out / results.FILE}, {args.out / 'figure.png'}")
    if args.readme:
        figure.draw(lines, _README.with_name("figure.png"))
        _write_readme(table.markdown(lines), sorted({job.seed for job in jobs}), list(oracles))


def _oracles(workloads: Sequence[str], scale: float, profiles: Sequence[str]) -> dict[str, Oracle]:
    grid = load_oracle(scale)
    measured, hard = set(grid.workload), set(load_hard_oracle().workload) if scale == 1 else set()
    grids = {name: oracle_of(name, profiles, grid=grid) for name in workloads if name in measured}
    if scale == 1:
        grids = {name: with_test(oracle) for name, oracle in grids.items()}
    return grids | {name: hard_oracle_of(name) for name in workloads if name in hard}


def _write_readme(text: str, seeds: Sequence[int], workloads: Sequence[str]) -> None:
    """Put the table between the README's markers, with what it was made with."""
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in _PACKAGES)
    command = shlex.join(["python", "-m", "examples.time_to_target", *sys.argv[1:]])
    block = (
        f"{_BEGIN}\n\n`{command}`, {date.today().isoformat()}, Python "
        f"{platform.python_version()}, {versions}. Workloads: {', '.join(workloads)}; seeds "
        f"{', '.join(map(str, seeds))}.\n\n{text}\n\n![Quality against price](figure.png)\n\n{_END}"
    )
    before, _, rest = _README.read_text("utf-8").partition(_BEGIN)
    after = rest.partition(_END)[2]
    _README.write_text(before + block + after, "utf-8")


if __name__ == "__main__":
    sys.exit(main())

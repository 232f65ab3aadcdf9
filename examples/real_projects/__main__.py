"""Attach AutoLR to public projects: run what is missing, print the table.

python -m examples.real_projects --projects darts vit --seeds 0 1 2
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from examples.real_projects import records, table
from examples.real_projects.catalogue import PROJECTS, Project
from examples.real_projects.environments import ROOT, python_of
from examples.real_projects.records import FAILED, METHODS


def main(argv: Sequence[str] | None = None) -> int:
    """Run the projects; return 1 if a run failed, which the next call tries again."""
    parser = argparse.ArgumentParser(prog="python -m examples.real_projects", description=__doc__)
    parser.add_argument("--projects", nargs="+", choices=PROJECTS, default=PROJECTS, metavar="NAME")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS, metavar="NAME")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], metavar="N")
    parser.add_argument(
        "--envs", type=Path, default=Path("real_projects_envs"), help="folder of environments"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("real_projects_results"), help="folder of results"
    )
    parser.add_argument("--markdown", action="store_true", help="print the table for a README")
    args = parser.parse_args(argv)

    args.out.mkdir(parents=True, exist_ok=True)
    done = {r.job for r in records.load(args.out) if r.outcome != FAILED}
    failed = 0
    for name in args.projects:
        jobs = [(m, s) for s in args.seeds for m in args.methods if (name, m, s) not in done]
        try:
            if jobs:
                _run(name, PROJECTS[name], jobs, args)
        except subprocess.CalledProcessError as error:
            failed += 1
            print(f"{name}: {error}", file=sys.stderr)
    kept = [r for r in records.load(args.out) if r.seed in args.seeds]
    _report(kept, args)
    return int(failed > 0 or any(r.outcome == FAILED for r in kept))


def _run(
    name: str, project: Project, jobs: Sequence[tuple[str, int]], args: argparse.Namespace
) -> None:
    """Run jobs in the project's environment, in an empty folder: projects leave their logs."""
    print(f"{name}: {len(jobs)} runs", file=sys.stderr)
    python = python_of(project.requirements, args.envs)
    folder = args.out.absolute()
    command = [
        python, "-m", "examples.real_projects.worker", name, project.module,
        folder / f"{name}.jsonl", *(f"{method}:{seed}" for method, seed in jobs),
    ]  # fmt: skip
    with tempfile.TemporaryDirectory() as empty, (folder / f"{name}.log").open("a") as log:
        subprocess.run(
            command, check=True, cwd=empty, stdout=log, stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        )  # fmt: skip


def _report(kept: Sequence[records.Record], args: argparse.Namespace) -> None:
    cells = table.rows(kept, args.projects, ranges=args.markdown)
    if args.markdown:
        print(table.markdown(cells))
    else:
        Console().print(table.rich_table(cells))
        print(*table.metrics(kept, args.projects), sep="\n")
    if tally := table.tally(kept, args.projects):
        print(tally)
    for note in table.notes(kept, args.projects):
        print(note)


if __name__ == "__main__":
    sys.exit(main())

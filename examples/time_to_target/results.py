"""results.csv: one row per run, appended when it finishes; an interrupted benchmark resumes."""

import csv
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import (
    Executor,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
    as_completed,
)
from dataclasses import asdict, dataclass, fields
from multiprocessing import get_context, parent_process
from pathlib import Path

import pandas as pd

from examples.time_to_target.outcome import Outcome

FILE = "results.csv"
KEY = ("method", "workload", "seed", "scale")
COLUMNS = (*KEY, "run_steps", *(field.name for field in fields(Outcome)))


@dataclass(frozen=True)
class Job:
    """One method on one workload at one seed."""

    method: str
    workload: str
    seed: int
    scale: float


def load(folder: Path) -> pd.DataFrame:
    """Return the rows in a folder, without a row whose writer was killed."""
    path = folder / FILE
    if not path.exists():
        return pd.DataFrame(columns=list(COLUMNS))
    _drop_torn_line(path)
    return pd.read_csv(path).drop_duplicates(list(KEY), keep="last")


def run_missing(
    folder: Path,
    jobs: Iterable[Job],
    workers: int,
    measure: Callable[[Job], dict[str, object]] | None = None,
) -> Iterator[tuple[Job, str]]:
    """Run the jobs that have no row yet and append theirs.

    Args:
        folder: Where the rows are.
        jobs: To run, unless they have a row.
        workers: Processes.
        measure: Runs a job and returns its row, which begins with the job's fields; None for the
            methods of this benchmark. It is pickled.

    Yields:
        Each job when it ends, with its error or an empty text.
    """
    folder.mkdir(parents=True, exist_ok=True)
    present = set(load(folder)[list(KEY)].itertuples(index=False, name=None))
    todo = [job for job in jobs if tuple(asdict(job).values()) not in present]
    with _pool(workers) as pool:
        waiting = {pool.submit(measure or measured, job): job for job in todo}
        try:
            for future in as_completed(waiting):
                job, error = waiting[future], future.exception()
                if error is None:
                    _append(folder / FILE, future.result())
                yield job, "" if error is None else repr(error)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def measured(job: Job) -> dict[str, object]:
    """Run a job and return its row."""
    # here: torch and Lightning take seconds to import, in the workers only
    from examples.time_to_target.methods import LIVE_METHODS, METHODS
    from examples.time_to_target.workloads import make

    method = {**METHODS, **LIVE_METHODS}[job.method]
    outcome = method(job.workload, job.seed, job.scale)
    steps = make(job.workload, job.seed, job.scale).steps
    return {**asdict(job), "run_steps": steps, **asdict(outcome)}


def _pool(workers: int) -> Executor:
    """Return what runs jobs: processes, or for a single worker this one."""
    if workers == 1:
        return ThreadPoolExecutor(1, initializer=_one_thread)
    # Spawned, so that a worker has none of this process's threads and generators.
    return ProcessPoolExecutor(workers, get_context("spawn"), initializer=_begin_worker)


def _begin_worker() -> None:
    """Use one thread, and end with the parent, even if that is killed."""
    _one_thread()
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


def _append(path: Path, row: dict[str, object]) -> None:
    """Add a row to the file.

    Raises:
        ValueError: If the file was written with other columns.
    """
    new = not path.exists()
    if not new and path.open(encoding="utf-8").readline().rstrip() != ",".join(row):
        raise ValueError(f"{path} has the columns of another version: use another folder")
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(row))
        if new:
            writer.writeheader()
        writer.writerow(row)


def _drop_torn_line(path: Path) -> None:
    """Cut what follows the last end of line: its writer was killed."""
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if whole != content:
        path.write_bytes(whole)

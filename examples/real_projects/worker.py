"""Run jobs of one project in its environment, each as one line in a file.

python -m examples.real_projects.worker PROJECT MODULE FILE METHOD:SEED ...
"""

import importlib
import sys
import time
import traceback
import warnings
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import cast

import torch

import examples.real_projects.torchvision_on_cpu  # noqa: F401 - before Lightning
from autolr.errors import AutoLRError
from examples.real_projects.methods import RUNS, Script
from examples.real_projects.records import (
    AGAIN,
    FAILED,
    ONE,
    OWN,
    REFUSED,
    TRAINED,
    Record,
    append,
)


def main(arguments: Sequence[str]) -> None:
    """Run the jobs one after the other."""
    project, module, file, *jobs = arguments
    script = cast("Script", importlib.import_module(module))
    torch.set_num_threads(1)  # sums in one order: runs are compared bit for bit
    digests = {}
    for job in jobs:
        method, _, seed = job.rpartition(":")
        record = measure(project, script, method, int(seed))
        append(Path(file), record)
        digests[method, seed] = record.digest
        if method == ONE and differs(digests.get((OWN, seed)), record.digest):
            append(Path(file), measure(project, script, AGAIN, int(seed)))


def differs(own: str | None, one: str | None) -> bool:
    """Return whether two runs ended, with other weights: maybe none is like another."""
    return None not in (own, one) and own != one


def measure(project: str, script: Script, method: str, seed: int) -> Record:
    """Return the record of one run, whatever comes of it."""
    begun = time.perf_counter()
    run = (project, method, seed, script.STEPS, script.METRIC)
    record = partial(Record, *run, mode=script.SEARCH.get("mode", "min"))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            end, known = RUNS[method](script, seed)
        except AutoLRError as error:
            return record(outcome=REFUSED, words=str(error))
        except Exception as error:  # of the project, or a fault of autolr: the table shows it
            traceback.print_exc()
            return record(outcome=FAILED, words=f"{type(error).__name__}: {error}")
    said = {str(w.message) for w in caught if "AutoLR" in str(w.message)}
    seconds = time.perf_counter() - begun
    return record(
        outcome=TRAINED, words=" ".join(sorted(said)), score=end.score,
        digest=end.digest, seconds=round(seconds, 2), **known,
    )  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1:])

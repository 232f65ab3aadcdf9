"""The devices of this machine, and its folders."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from autolr.disk import check_folder
from autolr.doctor.finding import Finding
from autolr.driver.devices import visible
from autolr.driver.trust import check_shared
from autolr.errors import ConfigError
from autolr.report import bytes_text
from autolr.runtime.accelerators import accelerators


def memory_bytes() -> int:
    """Return the memory of the machine, in bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def devices() -> Iterator[Finding]:
    """Yield the processors and accelerators that a run can use."""
    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield Finding("cpu", f"{threads} threads, {bytes_text(memory_bytes())} of memory")
    found, declared = accelerators(), visible()
    for number, one in enumerate(found):
        size = "" if one.memory is None else f", {bytes_text(one.memory)} of memory"
        yield Finding(f"device {number}", f"{one.name}{size}")
    if not found and declared:
        text = (
            f"{len(declared)} GPUs are declared or seen by nvidia-smi, and torch sees none: "
            "install a build of torch for CUDA, or mend the driver"
        )
        yield Finding("gpu", text, "wrong")
    elif not found:
        yield Finding("gpu", "none: runs are trained on the CPU")


def folder(path: Path, topic: str, *, ours: bool) -> Iterator[Finding]:
    """Yield whether a folder can be written to, by whom, and how much room its disk has.

    Args:
        path: The folder; it need not exist.
        topic: What to call it.
        ours: Whether results lie there, which no other user should be able to change.
    """
    try:
        check_folder(path)
    except ConfigError as error:
        yield Finding(topic, str(error), "wrong")
        return
    free = bytes_text(free_bytes(path))
    there = "" if path.exists() else ", will be made"
    yield Finding(topic, f"{path}{there}: can be written to, {free} free")
    try:
        open_to_group = check_shared(path) if ours else None
    except ConfigError as error:
        yield Finding(topic, str(error), "wrong")
        return
    if open_to_group is not None:
        yield Finding(topic, open_to_group, "note")


def free_bytes(path: Path) -> int:
    """Return the room on the disk of a folder, or of the nearest one above it that exists."""
    absolute = path.absolute()
    return shutil.disk_usage(next(p for p in (absolute, *absolute.parents) if p.exists())).free

"""A config: whether it works, and what its study will take."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from autolr import report
from autolr.config import Config
from autolr.doctor.finding import Finding
from autolr.doctor.machine import free_bytes, memory_bytes
from autolr.driver import Event, Noted, StudyEstimated, StudyReady, tune
from autolr.errors import AutoLRError
from autolr.study import Estimate
from autolr.tune_config import TuneConfig

_ONE_RUN: dict[str, Any] = {"space": {"lr": "online"}, "pruner": "none", "trials": 1}


def project(config: Config, file: Path, storage: str | None) -> Iterator[Finding]:
    """Yield what a dry run of a study finds: what is supported or refused, and the price.

    Args:
        config: As the file has it.
        file: The config.
        storage: Instead of the config's.
    """
    events: list[Event] = []
    plain = config.tune == TuneConfig() and not config.names_objective
    if plain:
        yield Finding("tune", "no such section: looked at as one run with AutoLR")
    settings = _ONE_RUN if plain else {}
    try:
        tune(file, storage=storage, dry_run=True, listener=events.append, **settings)
    except AutoLRError as error:
        yield Finding("refused", error.for_command(), "wrong")
        return
    yield Finding("supported", "everything works up to the first training step")
    for event in events:
        match event:
            case Noted(line):
                yield Finding("note", line, "note")
            case StudyReady():
                yield from (Finding("warning", line, "note") for line in event.warnings)
            case StudyEstimated(estimate):
                yield Finding("a run", f"{estimate.run_steps:,} optimizer steps")
                parts = report.estimate_parts(estimate)
                yield from (Finding(topic, text) for topic, text in parts.items())
                yield from _room(estimate, config)


def _room(estimate: Estimate, config: Config) -> Iterator[Finding]:
    """Yield what is too large for the machine; GPUs say so themselves, by making fewer copies."""
    trial, disk = estimate.trial_bytes, estimate.disk_bytes
    on_cpu = (config.fit.get("trainer") or {}).get("accelerator") == "cpu"
    together = (trial or 0) * (estimate.workers or 1) * estimate.devices
    if on_cpu and together > memory_bytes():
        text = f"more than this machine has, {report.bytes_text(memory_bytes())}"
        yield Finding("memory", f"{report.bytes_text(together)} is {text}", "wrong")
    free = free_bytes(config.tune.folder)
    if disk is not None and disk > free:
        text = f"{report.bytes_text(disk)} is more than is free, {report.bytes_text(free)}"
        yield Finding("disk", text, "wrong")

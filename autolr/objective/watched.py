"""What a run's own callbacks and schedulers wait for, and where they write."""

from collections.abc import Collection, Iterator
from typing import Any

from autolr.callbacks.namespaces import Trainer

_WATCHING = ("EarlyStopping", "ModelCheckpoint")  # Lightning's, which raise if they do not find it
_ALWAYS = ("epoch", "step")  # a ModelCheckpoint knows them


def unlogged(trainer: Trainer, logged: Collection[str]) -> Iterator[str]:
    """Yield a line for each metric that is waited for and that validation does not log.

    Training may log it, of which nothing is known before a step; where its name says so, there is
    no line.

    Args:
        trainer: With its callbacks and schedulers.
        logged: The metrics that validation logs.
    """
    for who, metric in dict.fromkeys(_watched(trainer)):
        if metric not in (*logged, *_ALWAYS) and "train" not in metric.lower():
            yield (
                f"{who} waits for {metric}, and validation logs {', '.join(logged)}: unless "
                f"something else logs {metric}, each trial fails there"
            )


def one_folder(trainer: Trainer) -> Iterator[str]:
    """Yield a line for each folder that the config gives a callback, in which all trials write.

    Args:
        trainer: Of which nothing is set up yet: later a callback has the folder of its run.
    """
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        kinds = {kind.__name__ for kind in type(callback).__mro__}
        folder = getattr(callback, "dirpath", None)
        if "ModelCheckpoint" in kinds and folder is not None:
            yield (
                f"{type(callback).__name__} has the dirpath {folder}, in which all trials write: "
                "leave it out, and each one's checkpoints are in a folder of its own"
            )


def _watched(trainer: Trainer) -> Iterator[tuple[str, str]]:
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        kinds = {kind.__name__ for kind in type(callback).__mro__}
        metric = getattr(callback, "monitor", None)
        if metric and kinds.intersection(_WATCHING) and getattr(callback, "strict", True):
            yield type(callback).__name__, str(metric)
    for config in trainer.lr_scheduler_configs:
        scheduler: Any = config.scheduler
        if config.reduce_on_plateau and config.strict and config.monitor:
            yield type(scheduler).__name__, config.monitor

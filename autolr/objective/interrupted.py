"""A run outside a study that a signal ends."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from autolr.callbacks.namespaces import SIGTERMException, Trainer, either
from autolr.counted import counted
from autolr.errors import InterruptedRunError


@contextmanager
def telling_of_signals(trainer: Trainer) -> Iterator[None]:
    """Raise an error where a signal ends the fit; by Lightning the process would exit with 0 or 1.

    Args:
        trainer: That fits within.

    Raises:
        InterruptedRunError: It says how far the run was, and where its checkpoint is.
    """
    try:
        yield
    except either(SIGTERMException) as error:  # a SystemExit
        raise _interrupted(trainer, signal.SIGTERM) from error
    except SystemExit as error:
        if isinstance(error.__context__, KeyboardInterrupt):  # Lightning ends so what it has caught
            raise _interrupted(trainer, signal.SIGINT) from error
        raise


def checkpoint_of(trainer: Trainer) -> Path | None:
    """Return the checkpoint that a run's ModelCheckpoint calls the best, else its last; None: none.

    Args:
        trainer: Of the run; the path is relative where it is below the working directory.
    """
    kept: Any = trainer.checkpoint_callback
    path = getattr(kept, "best_model_path", "") or getattr(kept, "last_model_path", "")
    checkpoint = Path(path) if path else None
    if checkpoint is not None and checkpoint.is_relative_to(Path.cwd()):
        return checkpoint.relative_to(Path.cwd())
    return checkpoint


def _interrupted(trainer: Trainer, signum: signal.Signals) -> InterruptedRunError:
    steps, checkpoint = counted(trainer.global_step, "step"), checkpoint_of(trainer)
    where = "none was written" if checkpoint is None else str(checkpoint)
    return InterruptedRunError(
        f"{signum.name} ended the run after {steps}; checkpoint: {where}", signum
    )

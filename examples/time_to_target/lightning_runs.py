"""Methods that run through a Lightning Trainer, as their users run them."""

import logging
import math
import warnings
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr
from io import StringIO
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.tuner.lr_finder import _LRFinder
from lightning.pytorch.tuner.tuning import Tuner
from torch.optim.lr_scheduler import LambdaLR

from autolr.callbacks import AutoLR
from autolr.errors import DivergedError
from examples.time_to_target.lightning_task import LightningTask, loaders
from examples.time_to_target.loop import PROFILES, is_lost
from examples.time_to_target.outcome import Ledger, Outcome
from examples.time_to_target.tasks_base import Task

_SKIP_FIRST, _SKIP_LAST = 10, 1  # points of a sweep, as Lightning skips them
_SMOOTHING = 9  # points, of the gradient


def default(task: Task) -> Outcome:
    """What the task's user has: their rate, and their own scheduler or none."""
    return _fitted(task, [])


def lr_find(task: Task) -> Outcome:
    """``Tuner.lr_find`` at its defaults, then warm-up and cosine at its suggestion."""
    return _swept(task, lambda finder: finder.suggestion())


def lr_find_log(task: Task) -> Outcome:
    """The same sweep, read where the loss falls fastest against the *log* of the rate."""
    return _swept(task, lambda finder: steepest(finder.results["lr"], finder.results["loss"]))


def autolr(task: Task) -> Outcome:
    """``AutoLR()`` with default arguments."""
    callback = AutoLR()
    return _fitted(task, [callback], peak=lambda: callback.result.run_peak)


def autolrs_trainer(task: Task) -> Outcome:
    """``AutoLR(strategy="autolrs")``: AutoLRS in a Trainer, which is not rewound."""
    callback = AutoLR("autolrs")
    return _fitted(task, [callback], peak=lambda: callback.result.run_peak)


def steepest(rates: Sequence[float], losses: Sequence[float]) -> float | None:
    """Return the rate at which a sweep's loss falls fastest against the log of the rate.

    The gradient is averaged over 9 neighbours; the first 10 points and the last are left out, as
    Lightning does. None if fewer than 2 points are left.
    """
    kept = slice(_SKIP_FIRST, len(losses) - _SKIP_LAST)
    pairs = zip(list(rates)[kept], list(losses)[kept], strict=True)
    finite = [(rate, loss) for rate, loss in pairs if math.isfinite(loss)]
    if len(finite) < 2:
        return None
    log_rates = np.log([rate for rate, _ in finite])
    gradient = np.gradient([loss for _, loss in finite], log_rates)
    half = _SMOOTHING // 2
    means = [gradient[max(0, i - half) : i + half + 1].mean() for i in range(len(gradient))]
    return finite[int(np.argmin(means))][0]


class _Module(LightningTask):
    """A task whose training steps are timed, with a cosine unless a callback sets the rate."""

    def __init__(self, task: Task, ledger: Ledger, *, scheduled: bool) -> None:
        super().__init__(task, task.default.rate)
        # Bound: AutoLR puts the counts of an object that a module holds back after each rival.
        self._busy = ledger.busy
        self._scheduled = scheduled

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """Make a step: forward, backward and the optimizer's, in Lightning's closure."""
        with self._busy():
            super().optimizer_step(*args, **kwargs)

    def configure_optimizers(self) -> Any:
        """Return the task's optimizer, and its schedule."""
        own = super().configure_optimizers()
        if self.task.default.scheduler is not None or not self._scheduled:
            return own
        optimizer = own
        multiplier = PROFILES["cosine"].timed(self.task.steps)
        scheduler = {"scheduler": LambdaLR(optimizer, multiplier), "interval": "step"}
        return {"optimizer": optimizer, "lr_scheduler": scheduler}


def _swept(task: Task, read: Callable[[_LRFinder], float | None]) -> Outcome:
    """Sweep, read a rate from the sweep, train at it."""

    def sweep(module: _Module, folder: str) -> None:
        training, validation = loaders(module.task)
        tuner = Tuner(_trainer(module.task, [], folder))
        with redirect_stderr(StringIO()):  # its progress bar cannot be turned off
            finder = tuner.lr_find(module, training, validation, update_attr=False)
        rate = None if finder is None else read(finder)
        module.lr = module.lr if rate is None else rate

    return _fitted(task, [], before=sweep)


def _fitted(
    task: Task,
    callbacks: Sequence[Callback],
    *,
    before: Callable[[_Module, str], None] | None = None,
    peak: Callable[[], float] | None = None,
) -> Outcome:
    """Fit once; with ``before`` the module has a schedule of its own."""
    ledger, initial = Ledger(), task.validate(task.model)
    module = _Module(ledger.watched(task), ledger, scheduled=before is not None)
    final, used, test = math.inf, math.nan, math.nan
    with _quiet(), TemporaryDirectory() as folder, ledger.counting():
        try:
            if before is not None:
                before(module, folder)
            trainer = _trainer(task, callbacks, folder)
            trainer.fit(module, *loaders(task))
            final, test = task.validate(task.model), task.tested(task.model)
            used = module.lr if peak is None else peak()
        except DivergedError:
            pass
    return ledger.outcome(final, used, task.steps, lost=is_lost(final, initial), test=test)


def _trainer(task: Task, callbacks: Sequence[Callback], folder: str) -> Trainer:
    return Trainer(
        accelerator="cpu",
        devices=1,
        max_steps=task.steps,
        gradient_clip_val=task.clip,
        callbacks=list(callbacks),
        num_sanity_val_steps=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
    )


class _quiet(warnings.catch_warnings):
    """Keep Lightning's advice (more workers, a logger) out of the benchmark's output."""

    def __enter__(self) -> None:
        super().__enter__()
        warnings.simplefilter("ignore")
        logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)

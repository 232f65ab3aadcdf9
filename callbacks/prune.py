"""Score a trial at rungs, and stop it where it is not worth finishing."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor
from typing_extensions import override

from autolr.callbacks.learner import LightningLearner
from autolr.callbacks.monitor import scoring
from autolr.callbacks.namespaces import Callback, LightningModule, Trainer
from autolr.callbacks.outputs import loss_of
from autolr.callbacks.requirements import check_no_swa, check_rivals
from autolr.callbacks.run_length import RunLength
from autolr.callbacks.sharded import ranks_of_fit
from autolr.callbacks.step_count import StepCount, has_begun
from autolr.callbacks.validation import ValidationPass
from autolr.direction import check_mode
from autolr.errors import ConfigError
from autolr.runtime.checkpoint_format import FORMAT, check_format
from autolr.runtime.collectives import Alone, Ranks
from autolr.runtime.rungs import RungScores

_CHECK_EVERY = 16  # steps between checks of the loss; each waits for the device


class Reporter(Protocol):
    """The two methods of `optuna.Trial` that `PruneTrial` calls."""

    def report(self, value: float, step: int) -> None:
        """Record ``value`` after ``step`` optimizer steps.

        Args:
            value: The score, in units of the metric.
            step: The rung, in optimizer steps.
        """

    def should_prune(self) -> bool:
        """Return whether the trial should stop."""


class PruneTrial(Callback):
    """Report comparable scores at rungs, and stop when the trial says so.

    The score at a rung is not the present loss, which is bad where the schedule is still high: it
    is the validation metric of the average of the run's weights over the last
    ``window`` share of the steps before the rung, which stands for a copy annealed to a rate of
    zero and costs no step. The run itself is not changed. After the fit a last pass over the
    validation data gives `final`.

    Under DDP each rank reports the same scores to a trial of its own; rank 0's answer counts.

    Args:
        trial: An `optuna.Trial`, or anything with its ``report`` and ``should_prune``.
        rungs: Optimizer steps at which to report, rising; those beyond the run are never reached.
        horizon: Length of the run that ``rungs`` are meant for; in a run of another length each is
            reached at the same share of it, and reported under its own name. None: this run's.
        monitor: The metric of the validation loop to report.
        mode: Whether lower ("min") or higher ("max") is better; None: what the name of the metric
            says, see `named_mode`.
        window: Length of the average, as a share of the steps before the rung.

    Attributes:
        pruned: Whether the trial was stopped at a rung.
        diverged: Whether the training loss stopped being finite, which stops the run too, or the
            final score is not.
        final: Every metric that validation logs, of the model as the fit left it; as the Trainer
            has logged them where it has validated after the last step: callbacks of yours may
            validate other weights, such as an average of them.

    Raises:
        ConfigError: Before the first training step, if validation does not log ``monitor``, or
            neither ``mode`` nor its name says which values are better.
        UnsupportedError: Before the first training step, if the set-up is not supported.
    """

    def __init__(
        self,
        trial: Reporter,
        rungs: Sequence[int],
        *,
        horizon: int | None = None,
        monitor: str = "val_loss",
        mode: str | None = None,
        window: float = 0.2,
    ) -> None:
        check_mode(mode)
        self.pruned = False
        self.diverged = False
        self._length: RunLength | None = None
        self.final: dict[str, float] = {}
        self._validated: int | None = None  # steps before the Trainer's last validation
        self._trial = trial
        self._rungs = tuple(rungs)
        self._horizon = horizon
        self._names: dict[int, int] = {}  # the name of each rung, by its step in this run
        self._monitor = monitor
        self._mode = mode
        self._window = window
        self._ranks: Ranks = Alone()
        self._stored: dict[str, Any] | None = None  # of the fit that is resumed
        self._learner: LightningLearner | None = None
        self._scores: RungScores | None = None
        self._stored_count: Mapping[str, int] | None = None  # likewise, the steps made

    @property
    def rungs(self) -> dict[int, int]:
        """The steps at which this run is judged, by the rung that each stands for."""
        return {rung: step for step, rung in self._names.items()}

    @property
    def logged(self) -> list[str]:
        """The metrics that validation logs, in a run that has begun."""
        return [] if self._learner is None else self._learner.validation.find(self._monitor)

    @property
    def made(self) -> int:
        """Optimizer steps that the run has made; 0 before it begins."""
        return 0 if self._length is None else self._length.count.made

    @property
    def ended_early(self) -> bool:
        """Whether the run, now over, has made fewer steps than were planned."""
        return self._length is not None and self._length.count.is_short(self._length.steps)

    @property
    def run_steps(self) -> int:
        """Optimizer steps of the whole run, as far as its epochs are known; 0 before it begins."""
        return 0 if self._length is None else self._length.steps

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        ranks = ranks_of_fit(trainer)
        ranks.gather(lambda: self._prepare(trainer, pl_module, ranks))

    def _prepare(self, trainer: Trainer, module: LightningModule, ranks: Ranks) -> None:
        check_rivals(trainer, module, "PruneTrial")
        check_no_swa(trainer, "PruneTrial")
        self._ranks = ranks
        validation = ValidationPass(trainer, module, ranks)
        if not validation.exists:
            raise ConfigError(
                "trials are compared by their validation: the model needs a validation_step, and "
                "it or the data a val_dataloader"
            )
        monitor = scoring(validation, self._monitor, self._mode)
        self._learner = LightningLearner(trainer, module, validation, monitor)
        count = StepCount(trainer, self._stored_count if has_begun(trainer) else None)
        self._length = RunLength(trainer, "PruneTrial", count)
        self._names = {self._place(rung): rung for rung in self._rungs}
        rungs = self._within(self._names)
        self._scores = RungScores(self._learner, rungs, self._window, step=count.made)
        stored, self._stored = self._stored, None
        if stored is not None:
            check_format(stored)
            self._learner.load_state_dict(stored["learner"])
            self._scores.load_state_dict(stored["scores"])
            self._names = dict(stored.get("names", self._names))
            self._renew_rungs(self._scores)  # the data may have grown since then

    def _place(self, rung: int) -> int:
        """Return the step of a rung in a run of the present length."""
        steps = self.run_steps
        return round(rung * steps / (self._horizon or steps))

    def _within(self, steps: Iterable[int]) -> list[int]:
        """Return those before the last step of the run: its score is `final`."""
        return [step for step in steps if step < self.run_steps]

    def _renew_rungs(self, scores: RungScores) -> None:
        """Move the rungs to come to their shares of a run that has another length.

        Where it is shorter, one whose share has passed is scored as soon as there is an average.
        """
        settled = max(scores.step, scores.begun or 0)
        self._names = {step: rung for step, rung in self._names.items() if step <= settled}
        passed, step = set(self._names.values()), settled + 1
        for rung in self._rungs:
            if rung not in passed:
                step = max(step + 1, self._place(rung))
                self._names[step] = rung
        scores.plan(self._within(self._names))

    @override
    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        assert self._learner is not None
        assert self._scores is not None
        assert self._length is not None
        if batch_idx == 0:
            self._length.count.begin_epoch()
        if self._length.renew(trainer, batch_idx):
            self._renew_rungs(self._scores)
        if self._scores.wants_batch:
            self._learner.set_batch(batch, batch_idx)
        self._length.count.begin_batch()

    @override
    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Tensor | Mapping[str, Any] | None,
        batch: Any,
        batch_idx: int,
    ) -> None:
        if batch is None:  # which Lightning skips: nothing was trained
            return
        assert self._learner is not None
        assert self._scores is not None
        assert self._length is not None
        stepped = self._length.count.end_batch()
        self._learner.set_outputs(outputs, stepped=stepped)
        score = self._scores.observe_step(stepped=stepped)
        if score is not None:
            self._report(trainer, self._learner.monitor.value(score), self._scores.step)
        loss = loss_of(outputs)
        if self._length.count.made % _CHECK_EVERY == 0:
            diverged = loss is not None and not torch.isfinite(loss)
            if self._ranks.any([bool(diverged)])[0]:
                self.diverged = trainer.should_stop = True

    @override
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._validated = None if trainer.sanity_checking else self.made

    @override
    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._learner is not None:
            self.final = self._learner.validation.logged(self._monitor)
            if self._validated == self.made and trainer.world_size == 1:
                theirs = trainer.callback_metrics
                self.final |= {name: float(theirs[name]) for name in self.final if name in theirs}
            self.diverged |= not math.isfinite(self.final[self._monitor])
        self._leave_run()

    @override
    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        self._leave_run()

    def _leave_run(self) -> None:
        self._learner = self._scores = None
        if self._length is not None:
            self._length.count.close()

    @override
    def state_dict(self) -> dict[str, Any]:
        if self._scores is None or self._learner is None:
            return {}
        scores, learner = self._scores.state_dict(), self._learner.state_dict()
        if scores is None:
            return {}
        assert self._length is not None
        made = self._length.count.state_dict()
        return {
            "format": FORMAT,
            "scores": scores,
            "learner": learner,
            "names": self._names,
            "steps": made,
        }

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._stored = state_dict or None
        self._stored_count = state_dict.get("steps")

    def _report(self, trainer: Trainer, value: float, step: int) -> None:
        self._trial.report(value, self._names[step])
        if trainer.strategy.broadcast(self._trial.should_prune()):
            self.pruned = trainer.should_stop = True

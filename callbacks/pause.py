"""Write a checkpoint of a trial at its rungs, and pause it until it is promoted."""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from typing_extensions import override

from autolr.callbacks.modes import KeepsModes
from autolr.callbacks.namespaces import STEP_OUTPUT, LightningModule, Trainer
from autolr.errors import ConfigError
from autolr.job import Decision, Judge
from autolr.runtime.loading import UnreadableError
from autolr.runtime.loading_checks import check_kept

_CHECK_EVERY = 8  # steps after which rank 0 says whether to leave; each time is a collective
_PARTS = {  # of a Lightning checkpoint that a fit can resume from, and their types
    "global_step": int,
    "state_dict": dict,
    "loops": dict,
    "callbacks": dict,
    "optimizer_states": list,
    "lr_schedulers": list,
    "pytorch-lightning_version": str,
    "autolr_position": dict,
}


class TrialPaused(BaseException):
    """Leaves a fit after its checkpoint; no Exception, so that user code does not catch it."""


class PauseTrial(KeepsModes):
    """Write a checkpoint at each rung, then let the study decide whether to continue.

    It stands between `PruneTrial`, whose scores it takes, and the study: a score that the study
    knows has a checkpoint. That is written as the next batch begins, when all that belongs to the
    rung's step has been done. Under DDP rank 0 gets the decision, and all ranks follow it. Put it
    before all other callbacks.

    Args:
        judge: Decides at a rung.
        checkpoint: The file; it is replaced as a whole.
        leave_requested: Returns whether the trial shall be paused as soon as possible.
        known: Rungs whose scores the study has.
        trial: Of which study and trial the run is; written into its checkpoints.

    Raises:
        ConfigError: In the fit, if a checkpoint holds what would not be loaded again, or the model
            has other parameters or buffers than at its start.

    Attributes:
        decision: The last one; PAUSE too when leaving was requested.
    """

    def __init__(
        self,
        judge: Judge,
        checkpoint: Path,
        leave_requested: Callable[[], bool] = lambda: False,
        known: Collection[int] = (),
        trial: str = "",
    ) -> None:
        self.decision = Decision.CONTINUE
        self._judge = judge
        self._checkpoint = checkpoint
        self._leave_requested = leave_requested
        self._known = known
        self._trial = trial
        self._due: tuple[int, float] | None = None
        self._leaves = False
        self._written = False  # whether the present step is in the checkpoint
        self._stepped = False
        self._steps_before = 0
        self._names: frozenset[str] = frozenset()  # of what a checkpoint has to fit

    def leaving(self) -> bool:
        """Return whether a checkpoint will be written as the next batch begins."""
        return self._due is not None or (self._leaves and self._stepped)

    def report(self, value: float, step: int) -> None:
        """Take the score of a rung; it is passed on after the checkpoint.

        Args:
            value: The score, in units of the metric.
            step: The rung, in optimizer steps.
        """
        self._due = (step, value)

    def should_prune(self) -> bool:
        """Return False: the run is paused instead."""
        return False

    @override
    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._names = frozenset(pl_module.state_dict())

    @override
    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        self.restore_modes(pl_module)  # here: a checkpoint is written behind the hooks of a start
        unbegun = trainer.global_step == 0 and trainer.world_size == 1 and self._leave_requested()
        if unbegun:
            self._leaves = True
        if unbegun or self.leaving():
            self._decide(trainer)
        self._steps_before = trainer.global_step
        self._written = False

    @override
    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: STEP_OUTPUT,
        batch: Any,
        batch_idx: int,
    ) -> None:
        self._stepped = trainer.global_step > self._steps_before
        self._check_leave(trainer)
        if self._leaves:  # Lightning would leave at a SIGTERM, with nothing written down
            trainer._signal_connector.received_sigterm = False

    @override
    def state_dict(self) -> dict[str, Any]:
        return {"due": None if self._due is None else list(self._due), "trial": self._trial}

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._written = True
        due = state_dict["due"]
        if due is not None and due[0] not in self._known:  # cut before the study had the score
            self._due = (due[0], due[1])

    def step_of(self, checkpoint: Any) -> int:
        """Return the step, as loggers number them, after which this trial wrote a checkpoint.

        Raises:
            UnreadableError: If it is another one's, or none.
        """
        parts = checkpoint if isinstance(checkpoint, dict) else {}
        if not all(isinstance(parts.get(name), kind) for name, kind in _PARTS.items()):
            raise UnreadableError("it is no checkpoint of a trial")
        state = parts["callbacks"].get(self.state_key)
        if not isinstance(state, dict) or state.get("trial") != self._trial:
            raise UnreadableError("it belongs to another trial or study")
        return int(parts["autolr_position"].get("steps_logged", parts["global_step"]))

    def _check_leave(self, trainer: Trainer) -> None:
        """Check whether to leave; of several ranks the first one decides, every few steps."""
        if trainer.world_size == 1:
            self._leaves = self._leave_requested()
        elif self._stepped and trainer.global_step % _CHECK_EVERY == 0:
            requested = trainer.is_global_zero and self._leave_requested()
            self._leaves = trainer.strategy.reduce_boolean_decision(requested, all=False)

    def _decide(self, trainer: Trainer) -> None:
        if not self._written and trainer.global_step > 0 and self._fits(trainer):
            self._write(trainer)
        if self._due is not None:
            step, score = self._due
            if trainer.is_global_zero:
                self.decision = self._judge.judge(step, score)
            self.decision = trainer.strategy.broadcast(self.decision)
            self._due = None
        if self.decision is Decision.CONTINUE and self._leaves:
            self.decision = Decision.PAUSE
        if self.decision is not Decision.CONTINUE:
            raise TrialPaused

    def _fits(self, trainer: Trainer) -> bool:
        """Return whether a new model can be resumed from a checkpoint of the present one.

        Raises:
            ConfigError: If not, at a rung: the trial could not be promoted.
        """
        module = trainer.lightning_module
        changed = sorted(self._names ^ frozenset(module.state_dict()))
        if not changed or not getattr(module, "strict_loading", True):
            return True
        if self._due is None:  # left by the user's wish: it begins anew
            return False
        raise ConfigError(
            f"the model of a trial has changed on the way ({changed[0]}), and a new one cannot be "
            "resumed from its checkpoint: write tune.pruner: {name: hyperband, pause: false}"
        )

    def _write(self, trainer: Trainer) -> None:
        draft = self._checkpoint.with_suffix(".new")
        try:
            trainer.save_checkpoint(draft)
            if trainer.is_global_zero:
                check_kept(draft, f"the checkpoint of a trial ({self._checkpoint})")
        except (OSError, ConfigError):  # a full disk: what is half written leaves the more room
            draft.unlink(missing_ok=True)
            raise
        if trainer.is_global_zero:
            draft.replace(self._checkpoint)  # never half a file

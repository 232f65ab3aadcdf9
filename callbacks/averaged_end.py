"""End a run with the average of its last weights."""

from typing import TYPE_CHECKING, Any

from typing_extensions import override

from autolr.callbacks.learner import LightningLearner
from autolr.callbacks.merging_checks import check_averaging, check_last_word
from autolr.callbacks.namespaces import (
    STEP_OUTPUT,
    Callback,
    LightningModule,
    Trainer,
    rank_zero_warn,
)
from autolr.callbacks.requirements import check_rivals
from autolr.callbacks.run_length import RunLength
from autolr.callbacks.sharded import ranks_of_fit
from autolr.callbacks.step_count import StepCount, has_begun
from autolr.callbacks.validation import ValidationPass
from autolr.counted import counted
from autolr.errors import ConfigError, UnsupportedError
from autolr.online.monitor import Monitor
from autolr.rng import isolated_rng
from autolr.runtime.end_averages import EndAverages
from autolr.runtime.learner import RECENT
from autolr.runtime.plain import packed, unpacked
from autolr.settings import read_whole

if TYPE_CHECKING:
    from collections.abc import Mapping


class AverageLastSteps(Callback):
    """End a run with the average of its weights over its last steps.

    It replays the end of a run with `AutoLR` that has one (``result.averaged``): beside a
    `FollowCandidate` with that run's peak and schedule the weights are the same, bit for bit. The
    average is in place behind the last step, so the last validation and checkpoint have it, with
    statistics of batch norm of its own, on the last training batches. Of a long window 128 to 255
    steps are averaged, evenly spread. A run that ends early keeps its last weights.

    Args:
        steps: Optimizer steps, as ``result.averaged.window``.

    Raises:
        ConfigError: If ``steps`` is no whole number of at least 1; before the first training step,
            if the run has fewer.
        UnsupportedError: Before the first training step, if something else replaces the weights
            with which the run ends, or copies of them cannot be made.

    Source: Sandler et al. 2023, arXiv:2301.02312: to first order such an average is what a longer
    fall of the rate leads to.
    """

    def __init__(self, steps: int) -> None:
        self._steps = read_whole("steps", steps)
        self._learner: LightningLearner | None = None
        self._length: RunLength | None = None
        self._ends: EndAverages | None = None
        self._stored: Mapping[str, Any] = {}  # of the fit that is resumed

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        ranks = ranks_of_fit(trainer)
        check_rivals(trainer, pl_module, "AverageLastSteps")
        check_last_word(trainer, self)
        check_averaging(trainer, self)
        validation = ValidationPass(trainer, pl_module, ranks)
        self._learner = LightningLearner(trainer, pl_module, validation, Monitor())
        self._ends = EndAverages(self._learner, lambda: True)
        stored, self._stored = self._stored if has_begun(trainer) else {}, {}
        count = StepCount(trainer, stored.get("made"))
        self._length = RunLength(trainer, "AverageLastSteps", count)
        if self._steps > self._length.steps:
            raise ConfigError.of("steps", self._steps, f"at most the run's {self._length.steps}")
        if stored:
            self._learner.load_state_dict(stored["learner"])
            self._ends.load_state_dict(unpacked(stored["ends"], pl_module.device))

    @override
    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        assert self._length is not None
        assert self._learner is not None
        if batch_idx == 0:
            self._length.count.begin_epoch()
        self._length.renew(trainer, batch_idx)
        if self._length.steps - self._length.count.made <= RECENT:
            self._learner.set_batch(batch, batch_idx)
        self._length.count.begin_batch()

    @override
    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: STEP_OUTPUT,
        batch: Any,
        batch_idx: int,
    ) -> None:
        if batch is None:  # which Lightning skips: nothing was trained
            return
        assert self._length is not None
        assert self._learner is not None
        assert self._ends is not None
        if not self._length.count.end_batch():
            return
        self._learner.settle()
        left = self._length.steps - self._length.count.made
        self._ends.sample([self._steps], left + 1)
        if left == 0:
            (average,) = self._ends.of([self._steps])
            assert average is not None
            with isolated_rng():
                average.stay(self._learner.forward)
            self._ends.clear()

    @override
    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert self._length is not None
        count, steps = self._length.count, self._length.steps
        if count.is_short(steps):
            rank_zero_warn(
                f"AverageLastSteps: the run ended after {count.made} of {counted(steps, 'step')}: "
                "it keeps its last weights"
            )
        self._leave_run()

    @override
    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        self._leave_run()

    def _leave_run(self) -> None:
        self._stored = self.state_dict()  # a checkpoint may be written
        self._learner = self._ends = None
        if self._length is not None:
            self._length.count.close()

    @override
    def state_dict(self) -> dict[str, Any]:
        if self._ends is None or self._learner is None or self._length is None:
            return dict(self._stored)
        return {
            "ends": packed(self._ends.state_dict()),
            "learner": self._learner.state_dict(),
            "made": self._length.count.state_dict(),
        }

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._stored = state_dict


def check_no_average(trainer: Trainer, who: str = "AutoLR") -> None:
    """Refuse `AverageLastSteps` beside a search, which decides itself how its run ends.

    Args:
        trainer: The trainer.
        who: What searches, for the message.

    Raises:
        UnsupportedError: If the run has one.
    """
    if any(isinstance(one, AverageLastSteps) for one in trainer.callbacks):  # type: ignore[attr-defined]
        raise UnsupportedError(
            f"{who} ends its run with an average of the last weights where that is better: leave "
            "AverageLastSteps out"
        )

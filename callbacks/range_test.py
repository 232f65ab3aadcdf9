"""The range test in a Trainer."""

from typing import Any

from typing_extensions import override

from autolr.callbacks.learner import LightningLearner
from autolr.callbacks.namespaces import Callback, LightningModule, Trainer, rank_zero_info
from autolr.callbacks.rate_host import RateHost
from autolr.callbacks.requirements import check_rivals
from autolr.callbacks.sharded import ranks_of_fit
from autolr.callbacks.validation import ValidationPass
from autolr.errors import ConfigError
from autolr.online.monitor import Monitor
from autolr.online.sweep import Sweep
from autolr.result.range_test import RangeTestResult
from autolr.runtime.applied_rate import own_rate
from autolr.runtime.range_test import swept
from autolr.runtime.rates import Rates
from autolr.runtime.snapshot import Snapshot
from autolr.runtime.step_context import StepContext


class RangeTest(Callback):
    """Test the rates of a run beside it: a copy is trained at a rate that grows at each batch.

    The copy takes a step on each of the first batches of the fit, and the run itself is the same,
    bit for bit, as without the callback: it trains at the rate that the user has set. What the
    test suggests is printed, and `result` has its curve. For the test alone, fit with
    ``Trainer(max_steps=100)``. What it does not see is how a rate ends: `AutoLR` does.

    Args:
        lowest: Rate of the first step, of the group with the highest one.
        highest: Rate of the last step.
        steps: Batches on which the copy is trained, at most.

    Raises:
        ConfigError: If a setting cannot work; before the first training step, if another
            callback sets the rate.
        UnsupportedError: If a copy cannot be trained beside the run, or a step returns no loss.

    Source: Smith 2017, arXiv:1506.01186, section 3.3; here the rates grow geometrically.
    """

    def __init__(self, lowest: float = 1e-6, highest: float = 100.0, steps: int = 100) -> None:
        self._sweep = self._begun = Sweep(lowest, highest, steps)
        self._learner: LightningLearner | None = None
        self._copy: Snapshot | None = None

    @property
    def result(self) -> RangeTestResult:
        """The result of the test, so far if it is not over.

        Raises:
            AttributeError: Before the first step.
        """
        if not self._sweep.losses:
            raise AttributeError("there is no result before the first step")
        return RangeTestResult(self._sweep)

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        hosts = [one for one in trainer.callbacks if isinstance(one, RateHost)]  # type: ignore[attr-defined]
        if hosts:
            name = type(hosts[0]).__name__
            raise ConfigError(f"RangeTest and {name} both set rates: leave one of them out")
        check_rivals(trainer, pl_module, "RangeTest")
        ranks = ranks_of_fit(trainer)
        validation = ValidationPass(trainer, pl_module, ranks)
        self._learner = LightningLearner(trainer, pl_module, validation, Monitor("training loss"))
        self._sweep, self._copy = self._begun, None

    @override
    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        learner, rate = self._learner, self._sweep.rate
        if learner is None or rate is None:
            return
        optimizer = learner.optimizer
        present = max(float(own_rate(group)) for group in optimizer.param_groups)
        if not present > 0:  # a warm-up from 0: nothing can be multiplied
            return
        before = StepContext.capture(optimizer)
        if self._copy is None:
            self._copy = Snapshot(pl_module, optimizer, learner.extras)
        rates = Rates.of(optimizer)
        try:
            with learner.first_batch(batch, batch_idx), self._copy.in_place():
                self._sweep = swept(self._sweep, learner, rates, rate / present)
        finally:
            rates.detach()
            before.restore()
        if self._sweep.rate is None:
            self._end()

    @override
    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._learner is not None and self._sweep.losses:
            self._end()
        self._learner = self._copy = None

    def _end(self) -> None:
        """Tell what the test has found, and free the copy."""
        rank_zero_info(f"RangeTest: {self.result}")
        self._learner = self._copy = None

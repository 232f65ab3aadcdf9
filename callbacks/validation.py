"""A pass over the validation data that scores the model in place and leaves no trace."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from autolr.callbacks.batch_means import BatchMeans
from autolr.callbacks.isolated_loop import evaluated, validating
from autolr.callbacks.kept_batches import KeptBatches
from autolr.callbacks.listeners import listeners_of, restored
from autolr.callbacks.logged import over_ranks
from autolr.callbacks.namespaces import (
    Callback,
    LightningModule,
    Trainer,
    rank_zero_info,
)
from autolr.callbacks.quiet import quiet
from autolr.callbacks.sharded import settle
from autolr.errors import PartedError, UnsupportedError
from autolr.rng import isolated_rng
from autolr.runtime.collectives import Alone, Ranks
from autolr.runtime.untouched import untouched

_EPOCHS = 100  # in which a metric is looked for, at most: one batch each


class ValidationPass:
    """Scores the model that is in place by the Trainer's own validation loop.

    What is logged is what ``trainer.validate`` would log of these weights, to the last digit. The
    module's hooks are called, and no callback's. Only where the module alone does not log the
    monitor, your own callbacks are called too, in the hooks in which Lightning lets them log: all
    but ``on_validation_end``. The Trainer's metrics, loggers and progress, generators, training
    modes, and plain attributes of the module and of these callbacks are as they were afterwards.

    Batches are kept in memory, up to 256 MiB, so that all passes see the same ones. Each rank
    takes the batches that the Trainer gives it; what they log is reduced over them.

    Args:
        trainer: A trainer that has begun to fit.
        module: Its module.
        ranks: The processes that validate together.

    Attributes:
        by_batch: What the last pass has logged on this rank by batch, by the name of the metric:
            those of which the pass logs the mean.
    """

    def __init__(
        self, trainer: Trainer, module: LightningModule, ranks: Ranks | None = None
    ) -> None:
        self.ranks: Ranks = Alone() if ranks is None else ranks
        self._trainer = trainer
        self._module = module
        self.by_batch: dict[str, tuple[float, ...]] = {}
        self._batches = KeptBatches()
        self._listeners: tuple[Callback, ...] = ()
        self._epoch: int | None = None  # as in which passes are made; None: the present one
        self._logged_in = 0  # the last epoch in which a pass has logged the monitor
        self._set_up_data()

    @property
    def exists(self) -> bool:
        """Whether the run has validation data and a step for it."""
        return self._trainer.enable_validation and sum(self._trainer.num_val_batches) > 0

    def run(self, limit: int | None = None) -> dict[str, float]:
        """Return what one pass logs.

        Args:
            limit: Batches of each loader at most.
        """
        self._set_up_data()
        with (
            untouched(self._module),  # what the pass changes is put back
            isolated_rng(),
            _same_modes(self._module),
            restored(self._listeners, self._module),
            quiet(self._trainer, self._module, listeners=self._listeners),
            _in_epoch(self._trainer, self._epoch),
        ):
            batch_means = BatchMeans()
            logged = over_ranks(
                self.ranks.gather(
                    lambda: evaluated(self._trainer, self._batches, self.ranks, limit, batch_means)
                )
            )
            settle(self._trainer)
        self.by_batch = batch_means.values()
        return logged

    def find(self, monitor: str) -> list[str]:
        """Find out how passes come to log a metric: with callbacks, or as in another epoch.

        Args:
            monitor: The name of the metric; `logged` gives it from now on.

        Returns:
            The names of all metrics that were logged on the way, without ``monitor`` if no pass
            logs it.
        """
        names: set[str] = set()
        for look in self._looks():
            names |= look().keys()
            if monitor in names:
                break
        else:
            self._listeners, self._epoch = (), None
        if self._epoch is not None:
            rank_zero_info(
                f"AutoLR: validation logs {monitor!r} only in some epochs; every pass of the "
                f"search is made as in epoch {self._epoch}"
            )
        return sorted(names)

    def logged(self, monitor: str) -> dict[str, float]:
        """Return what a pass logs, ``monitor`` among it, if need be as in an earlier epoch.

        Args:
            monitor: The name of a metric that `find` has found.

        Raises:
            UnsupportedError: If validation has ceased to log it.
        """
        epoch, logged = self._epoch, self.run()
        if monitor not in logged and epoch is None:
            self._epoch = self._logged_in
            logged = self.run()
        if monitor not in logged:
            self._epoch = epoch
            raise UnsupportedError(
                f"validation logged {monitor!r} when the fit began and no longer does: log it in "
                "every validation"
            )
        if self._epoch is None:
            self._logged_in = self._trainer.current_epoch
        return logged

    def _set_up_data(self) -> None:
        """Set the loaders up where no sanity check has, or a tuner in the fit has dropped them.

        The run reloads its loaders when it would: an epoch in which it has is not noted.
        """
        loop = self._trainer.fit_loop.epoch_loop.val_loop
        if self._trainer.enable_validation and loop._combined_loader is None:
            last = loop._last_val_dl_reload_epoch
            with isolated_rng(), validating(self._trainer):
                loop.setup_data()
            loop._last_val_dl_reload_epoch = last

    def _looks(self) -> Iterator[Callable[[], dict[str, float]]]:
        """Yield passes that may log a metric, the likely and the cheap ones first."""
        now = self._trainer.current_epoch
        callbacks = listeners_of(self._trainer)
        for limit in (1, None):
            for listeners in dict.fromkeys([(), callbacks]):
                self._listeners = listeners
                yield partial(self._tried, callbacks, limit)
        last = self._trainer.max_epochs
        assert last is not None  # in a fit
        epochs = range(now + 1, now + 1 + _EPOCHS if last < 0 else last)
        for epoch in [*epochs, *range(now)][:_EPOCHS]:
            self._epoch = epoch
            yield partial(self._tried, callbacks, 1)

    def _tried(self, callbacks: tuple[Callback, ...], limit: int | None) -> dict[str, float]:
        """Make a pass; the module may fail where it reads what absent callbacks log.

        So may it as in another epoch: what it has for each one may not reach to the last.
        """
        try:
            return self.run(limit)
        except Exception as error:
            ends = isinstance(error, PartedError)
            if ends or (self._listeners == callbacks and self._epoch is None):
                raise
            return {}


@contextmanager
def _in_epoch(trainer: Trainer, epoch: int | None) -> Iterator[None]:
    """Set ``trainer.current_epoch`` for a block; None leaves it."""
    progress = trainer.fit_loop.epoch_progress.current
    before = progress.completed
    progress.completed = before if epoch is None else epoch
    try:
        yield
    finally:
        progress.completed = before


@contextmanager
def _same_modes(module: LightningModule) -> Iterator[None]:
    """Put each module's mode back after a block; the loop itself switches to evaluation."""
    modes = [(part, part.training) for part in module.modules()]
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training

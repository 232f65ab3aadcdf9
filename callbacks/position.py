"""The position of a run in its data, so that a resumed fit continues with the next batch."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from typing_extensions import override

from autolr.callbacks.namespaces import (
    STEP_OUTPUT,
    Callback,
    LightningModule,
    Trainer,
    set_sampler_epoch,
)
from autolr.rng import RngState
from autolr.runtime.data_sources import DataSources


class DataPosition(Callback):
    """Resumes a fit in the middle of an epoch with the batches that it has not seen.

    Lightning begins the epoch anew, in another order, and takes as many batches as were left. Here
    the global generators are restored to their states when the epoch began, the batches that were
    seen are drawn and thrown away, and the generators continue where the run had left them: the
    resumed run ends as the uninterrupted one, bit for bit. A loader with a ``state_dict`` restores
    itself. What loaders, samplers and data sets keep of their own, as a generator or a count of
    epochs, is restored alike. Put the callback behind all others.

    What draws from the global generators in a module's ``on_train_epoch_start``,
    ``on_train_batch_end`` or ``on_validation_end`` is not accounted for.

    Args:
        leaving: Returns whether a checkpoint is about to be written, as the next batch begins.
    """

    def __init__(self, leaving: Callable[[], bool]) -> None:
        self._leaving = leaving
        self._sources = DataSources(())
        self._epoch_start: _Draws | None = None
        self._before_fetch: _Draws | None = None
        self._first = False
        self._seen = 0  # batches of the epoch that a checkpoint was written after
        self._steps_logged: int | None = None

    @override
    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._epoch_start is None:
            self._epoch_start, self._first = _Draws.of(self._sources), True
        self._watch(trainer.fit_loop)

    def _watch(self, loop: Any) -> None:
        """Have a look at the loaders each time that they are made, before they are drawn from."""
        go_on = loop._load_combined_loader_states

        def loaders_made() -> None:
            go_on()
            self._sources = DataSources(loop._combined_loader.flattened)
            if self._first and self._epoch_start is not None:
                generators = self._epoch_start.generators
                self._epoch_start = _Draws(generators, self._sources.state_dict())

        loop._load_combined_loader_states = loaders_made

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._steps_logged is not None:
            self._seek(trainer)

    @override
    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not self._first:  # Lightning has made the first epoch's iterator by now
            self._epoch_start = _Draws.of(self._sources)
        self._first = False

    @override
    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if self._steps_logged is not None:  # Lightning counts the step that was cut once too often
            trainer.fit_loop.epoch_loop._batches_that_stepped = self._steps_logged
            self._steps_logged = None

    @override
    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: STEP_OUTPUT,
        batch: Any,
        batch_idx: int,
    ) -> None:
        self._note_next_draw()

    @override
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._note_next_draw()

    @override
    def state_dict(self) -> dict[str, Any]:
        known = self._epoch_start, self._before_fetch
        epoch_start, before_fetch = (None if one is None else one.to_dict() for one in known)
        return {"epoch_start": epoch_start, "before_fetch": before_fetch}

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._epoch_start, self._before_fetch = (
            None if state_dict[name] is None else _Draws.from_dict(state_dict[name])
            for name in ("epoch_start", "before_fetch")
        )

    @override
    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        loop: Any = trainer.fit_loop.epoch_loop
        checkpoint["autolr_position"] = {
            "seen": loop.batch_progress.current.started,
            "steps_logged": loop._batches_that_stepped,
        }

    @override
    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: Mapping[str, Any]
    ) -> None:
        position = checkpoint["autolr_position"]
        self._seen, self._steps_logged = position["seen"], position["steps_logged"]

    def _note_next_draw(self) -> None:
        """Note the generators with which the next batch will be drawn."""
        if self._leaving():
            self._before_fetch = _Draws.of(self._sources)

    def _seek(self, trainer: Trainer) -> None:
        fit: Any = trainer.fit_loop
        loaders = fit._combined_loader.flattened
        if self._epoch_start is None or all(hasattr(one, "load_state_dict") for one in loaders):
            return
        for loader in loaders:
            set_sampler_epoch(loader, fit.epoch_progress.current.processed)
        fetcher = fit._data_fetcher
        if fit.epoch_progress.current.processed == 0:
            _forget_workers(loaders)
        self._epoch_start.restore(self._sources)
        iter(fetcher)
        for _ in range(self._seen):
            next(fetcher)
        fetcher.fetched -= self._seen  # Lightning adds them again
        state = self._before_fetch if self._seen else None
        fetcher.iterator = _From(state or _Draws.of(self._sources), self._sources, fetcher.iterator)


def _forget_workers(loaders: Iterable[Any]) -> None:
    """Have loaders with persistent workers draw a seed for these, as in the first epoch of a run.

    In later epochs they keep them, and draw none.
    """
    for loader in loaders:
        if getattr(loader, "persistent_workers", False):
            loader._iterator = None


@dataclass(frozen=True, slots=True)
class _Draws:
    """What the next batch depends on.

    Attributes:
        generators: The global ones.
        sources: What the loaders hold, plain.
    """

    generators: RngState
    sources: Mapping[str, Any]

    @classmethod
    def of(cls, sources: DataSources) -> "_Draws":
        return cls(RngState.capture(), sources.state_dict())

    def restore(self, sources: DataSources) -> None:
        self.generators.restore()
        sources.load_state_dict(self.sources)

    def to_dict(self) -> dict[str, Any]:
        return {**self.generators.to_dict(), "sources": dict(self.sources)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "_Draws":
        return cls(RngState.from_dict(values), values.get("sources", {}))


class _From:
    """An iterator before whose first step the generators are put back.

    Lightning reads the validation data in between, where validation was due before the cut.
    """

    def __init__(self, draws: _Draws, sources: DataSources, iterator: Iterator[Any]) -> None:
        self._draws: _Draws | None = draws
        self._sources = sources
        self._iterator = iterator

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        if self._draws is not None:
            self._draws.restore(self._sources)
            self._draws = None
        return next(self._iterator)

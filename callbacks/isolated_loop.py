"""The Trainer's validation loop, run once on the side."""

import copy
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from typing import Any

from autolr.callbacks.batch_means import BatchMeans
from autolr.callbacks.kept_batches import KeptBatches
from autolr.callbacks.logged import LoggedValues, local_values, new_metrics
from autolr.callbacks.namespaces import PassThroughProfiler, Trainer
from autolr.callbacks.quiet import drop, replaced
from autolr.callbacks.sharded import called_model
from autolr.runtime.collectives import Ranks


def evaluated(
    trainer: Trainer,
    batches: KeptBatches,
    ranks: Ranks,
    limit: int | None,
    batch_means: BatchMeans,
) -> tuple[dict[str, float], LoggedValues]:
    """Run a twin of the validation loop, and return what this rank has logged in it.

    It has results, progress and metrics of its own: the Trainer's are as before afterwards.

    Args:
        trainer: A trainer in a fit, whose callbacks and loggers are quiet.
        batches: What is known of the data; it is added to.
        ranks: The processes that validate together.
        limit: Batches of each loader at most; None: as many as the Trainer takes.
        batch_means: Takes in what is logged, batch by batch.

    Returns:
        The metrics, and those of them that are this rank's alone; see `local_values`.
    """
    epoch_loop = trainer.fit_loop.epoch_loop
    own: Any = epoch_loop.val_loop
    twin: Any = _twin(trainer, own, limit)
    loaders = batches.loaders(own._combined_loader.flattened)
    connector: Any = copy.copy(trainer._logger_connector)
    for name in ("_callback_metrics", "_logged_metrics", "_progress_bar_metrics"):
        setattr(connector, name, dict(getattr(connector, name)))
    before = dict(connector._callback_metrics)
    alone: LoggedValues = {}

    def reset() -> None:
        twin._combined_loader = copy.copy(own._combined_loader)
        twin._combined_loader.flattened = loaders
        type(twin).reset(twin)
        twin._combined_loader = own._combined_loader  # which the module may read

    def store() -> None:
        ranks.gather(drop)  # a rank that failed is not waited for in collectives
        type(twin)._store_dataloader_outputs(twin)

    def end() -> None:
        if ranks.size > 1:
            alone.update(local_values(twin._results))
        type(twin)._on_evaluation_end(twin)

    def end_batch() -> None:
        batch_means.take(twin._results)
        type(connector).on_batch_end(connector)

    connector.on_batch_end = end_batch
    twin.reset, twin._store_dataloader_outputs, twin._on_evaluation_end = reset, store, end
    with ExitStack() as stack:
        stack.enter_context(validating(trainer))
        stack.enter_context(replaced(epoch_loop, {"val_loop": twin}))
        stack.enter_context(replaced(trainer, _stand_ins(trainer, connector)))
        stack.enter_context(replaced(trainer.strategy, {"_model": called_model(trainer)}))
        stack.callback(lambda: twin._data_fetcher and twin._data_fetcher.teardown())
        twin.run()
    if limit is None:
        batches.keep(loaders)
    return new_metrics(before, connector._callback_metrics), alone


@contextmanager
def validating(trainer: Trainer) -> Iterator[None]:
    """Have ``trainer.validating`` for a block: transfer hooks augment only what is trained on."""
    stage = trainer.state.stage
    assert stage is not None  # in a fit
    trainer.state.stage = type(stage).VALIDATING
    try:
        yield
    finally:
        trainer.state.stage = stage


def _twin(trainer: Trainer, own: Any, limit: int | None) -> Any:
    """Return another loop of the kind, over the same data."""
    twin = type(own)(
        trainer, own._trainer_fn, own._stage, verbose=False, inference_mode=own.inference_mode
    )
    twin._data_source, twin._combined_loader = own._data_source, own._combined_loader
    taken = own._max_batches
    twin._max_batches = taken if limit is None else [min(limit, one) for one in taken]
    twin.setup_data = drop
    return twin


def _stand_ins(trainer: Trainer, connector: Any) -> dict[str, Any]:
    """Return what stands for parts of the Trainer in a pass, by the attribute."""
    return {
        "_logger_connector": connector,
        "_signal_connector": SimpleNamespace(received_sigterm=False),  # it ends no pass halfway
        "_last_val_time": getattr(trainer, "_last_val_time", 0.0),
        "profiler": PassThroughProfiler(),
        "barebones": False,  # such a Trainer would log nothing
    }

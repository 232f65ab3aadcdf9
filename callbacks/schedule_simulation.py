"""The rates that a module's own schedulers will set."""

import copy
import warnings
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch.optim import Optimizer

from autolr.callbacks.namespaces import LightningModule, LRSchedulerConfig, Trainer
from autolr.callbacks.run_length import accumulation_in
from autolr.rng import isolated_rng


def simulated_schedule(trainer: Trainer, module: LightningModule, total_steps: int) -> np.ndarray:
    """Return the highest rate of the groups at each step, by copies of the schedulers.

    Args:
        trainer: The trainer.
        module: Its module.
        total_steps: Optimizer steps of the run.
    """
    (optimizer,) = trainer.optimizers
    stand_in = _stand_in(optimizer)
    shared = {id(optimizer): stand_in, id(module): module, id(trainer): trainer}
    configs = [c for c in trainer.lr_scheduler_configs if not c.reduce_on_plateau]
    copies = copy.deepcopy([config.scheduler for config in configs], shared)
    rates = np.empty(total_steps)
    with isolated_rng(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "scheduler.step() before optimizer.step()"
        for step, due in enumerate(_due(trainer, configs, total_steps)):
            rates[step] = max(float(group["lr"]) for group in stand_in.param_groups)
            for index in due:
                copies[index].step()
    return rates


def _stand_in(optimizer: Optimizer) -> Optimizer:
    groups = [
        {name: copy.deepcopy(value) for name, value in group.items() if name != "params"}
        for group in optimizer.param_groups
    ]
    return torch.optim.SGD([{**group, "params": [torch.zeros(())]} for group in groups], lr=1.0)


def _due(
    trainer: Trainer, configs: Sequence[LRSchedulerConfig], total_steps: int
) -> Iterator[list[int]]:
    """Yield for each optimizer step the indices of the schedulers that step after it."""
    batches = trainer.num_training_batches
    epoch, batch = 1, 0
    for _ in range(total_steps):
        batch = int(min(batch + accumulation_in(trainer, epoch - 1), batches))
        at = {"step": batch, "epoch": epoch if batch == batches else 0}
        counts = [(at[str(config.interval)], config.frequency) for config in configs]
        yield [i for i, (count, every) in enumerate(counts) if count and count % every == 0]
        if batch == batches:
            epoch, batch = epoch + 1, 0

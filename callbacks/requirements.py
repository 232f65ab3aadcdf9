"""Checks of a set-up before the first training step."""

from collections.abc import Sequence

from torch.nn.parameter import is_lazy

from autolr.callbacks.namespaces import (
    Callback,
    DDPStrategy,
    DeepSpeedStrategy,
    LightningModule,
    SingleDeviceStrategy,
    Strategy,
    Trainer,
    either,
    is_param_in_hook_signature,
)
from autolr.callbacks.sharded import check_sharded, is_sharded
from autolr.callbacks.swa import swa_of
from autolr.errors import ConfigError, UnsupportedError

_INSTEAD = {  # by whether the callback can exchange shards
    True: "ModelParallelStrategy, with fully_shard in configure_model (FSDP2)",
    False: "strategy='ddp'",
}
_SUPPORTED = {True: "DDP, ModelParallelStrategy and FSDP", False: "strategy='ddp'"}


def check_alone(trainer: Trainer, kinds: tuple[type[Callback], ...]) -> None:
    """Refuse several callbacks that each set the rate of every step.

    Args:
        trainer: The trainer.
        kinds: The kinds of which there may be one in all.

    Raises:
        ConfigError: If there is more than one of these ``kinds``.
    """
    callbacks = trainer.callbacks  # type: ignore[attr-defined]
    names = [type(callback).__name__ for callback in callbacks if isinstance(callback, kinds)]
    if len(names) > 1:
        who = " and ".join(names)
        raise ConfigError(f"{who} both set the rate of every step: leave one of them out")


def check_rates(trainer: Trainer, module: LightningModule, who: str) -> None:
    """Refuse a set-up in which a callback cannot set the rate.

    Args:
        trainer: The trainer.
        module: Its module.
        who: The name of our callback, for the message.

    Raises:
        UnsupportedError: If the module has no optimizer, or a learning-rate scheduler of its own.
    """
    check_optimizer(trainer, who)
    if trainer.lr_scheduler_configs:
        raise UnsupportedError(
            f"{who} sets the rate, and so does the module's {_scheduler(trainer)}: return only the "
            "optimizer from configure_optimizers"
        )


def check_follower(trainer: Trainer, module: LightningModule, own_peak: float | None) -> None:
    """Refuse a set-up in which `FollowCandidate` cannot set the rate.

    Args:
        trainer: The trainer.
        module: Its module.
        own_peak: The peak of the module's own scheduler, as the user gave it.

    Raises:
        UnsupportedError: As `check_rates`, but where ``own_peak`` is given the module has to have
            a scheduler.
    """
    if own_peak is None:
        check_rates(trainer, module, "FollowCandidate")
        return
    check_optimizer(trainer, "FollowCandidate")
    if not trainer.lr_scheduler_configs:
        raise UnsupportedError(
            f"FollowCandidate(own_peak={own_peak:g}) multiplies the rates of the module's own "
            "scheduler, and this module has none: leave out own_peak"
        )


def check_no_scheduler(trainer: Trainer, rule: str) -> None:
    """Refuse a rule in place of an optimizer that a scheduler of the module's own steps.

    Args:
        trainer: The trainer.
        rule: Its name, for the message.

    Raises:
        UnsupportedError: If there is one: it would set the rates of the optimizer that is replaced.
    """
    if trainer.lr_scheduler_configs:
        raise UnsupportedError(
            f"ApplyRule({rule!r}) replaces the optimizer, and the module's {_scheduler(trainer)} "
            "belongs to the one that is replaced: return only the optimizer from "
            "configure_optimizers, and set the schedule by FollowCandidate or AutoLR"
        )


def check_optimizer(trainer: Trainer, who: str) -> None:
    """Refuse a module without an optimizer.

    Args:
        trainer: The trainer.
        who: The name of our callback, for the message.

    Raises:
        UnsupportedError: If it has none.
    """
    groups = [group for optimizer in trainer.optimizers for group in optimizer.param_groups]
    if not any("lr" in group for group in groups):  # Lightning puts a mock in the place of None
        raise UnsupportedError(
            f"{who} sets rates, and this module has no optimizer with a rate: return one from "
            "configure_optimizers()"
        )


def check_replaceable(trainer: Trainer, module: LightningModule, what: str) -> None:
    """Refuse a rule in place of an optimizer that the Trainer does not step alone.

    Args:
        trainer: The trainer.
        module: Its module.
        what: The setting that names the rule, for the message.

    Raises:
        UnsupportedError: If there are several optimizers or none, the module optimizes by hand, or
            each process has a part of the weights alone.
    """
    if is_sharded(trainer.strategy):
        raise UnsupportedError(
            f"{what} computes with whole weights, and under {type(trainer.strategy).__name__} each "
            "process holds a part of them: without a rule the module's optimizer is kept"
        )
    if (count := len(trainer.optimizers)) != 1:
        raise UnsupportedError(
            f"{what} replaces one optimizer, and this module has {count}: without a rule all their "
            "rates are searched together"
        )
    if not module.automatic_optimization:
        raise UnsupportedError(
            f"{what} replaces an optimizer that the Trainer steps, and this module optimizes by "
            "hand: without a rule its own optimizer is kept"
        )


def check_schedule(trainer: Trainer, schedule: object, candidates: object) -> None:
    """Refuse a schedule beside a scheduler of the module's own.

    Args:
        trainer: The trainer.
        schedule: As the user set it; None: not set.
        candidates: As the user set them; None: not set.

    Raises:
        ConfigError: With which of them to drop for what.
    """
    argument = "candidates" if schedule is None else "schedule"
    given = schedule is not None or candidates is not None
    if given and trainer.lr_scheduler_configs:
        name = _scheduler(trainer)
        raise ConfigError(
            f"AutoLR({argument}=...) and the module's {name} both shape the rates: leave out "
            f"{argument}= to keep the shape of {name}, or return only the optimizer from "
            "configure_optimizers"
        )


def check_space_shapes(trainer: Trainer, names: Sequence[str]) -> None:
    """Refuse a study's space that shapes schedules, beside a scheduler of the module's own.

    Args:
        trainer: The trainer.
        names: The parameters of the space that do.

    Raises:
        ConfigError: If there are both, with what to leave out.
    """
    if names and trainer.lr_scheduler_configs:
        scheduler = _scheduler(trainer)
        raise ConfigError(
            f"tune.space has {', '.join(names)}, and the module's {scheduler} shapes the rates: "
            f"leave out {', '.join(names)} to search the peak of {scheduler}, as in "
            "space: {lr: {low: 1.0e-4, high: 1.0e-1, log: true}}, or give the module no scheduler"
        )


def check_rivals(
    trainer: Trainer, module: LightningModule, who: str, *, sharded: bool = False
) -> None:
    """Refuse a set-up in which copies of the run cannot be trained beside it.

    Args:
        trainer: The trainer.
        module: Its module.
        who: The name of our callback, for the message.
        sharded: Whether it can do so where each process holds a part of the weights.

    Raises:
        UnsupportedError: With the reason.
    """
    check_optimizer(trainer, who)
    check_strategy(trainer.strategy, who, sharded=sharded)
    check_sharded(trainer, who)
    if lazy := [name for name, weight in module.named_parameters() if is_lazy(weight)]:
        raise UnsupportedError(
            f"{who} needs the weights of lazy modules before the first step, and {lazy[0]} has "
            "none: keep the Trainer's num_sanity_val_steps, or pass a batch through the model first"
        )
    if is_param_in_hook_signature(module.training_step, "dataloader_iter", explicit=True):
        raise UnsupportedError(f"{who} does not support training_step(dataloader_iter)")


def check_no_swa(trainer: Trainer, who: str) -> None:
    """Refuse `StochasticWeightAveraging`, which changes the weights after the last score.

    Args:
        trainer: The trainer.
        who: The name of our callback, for the message.

    Raises:
        UnsupportedError: If the run has one.
    """
    if swa_of(trainer) is not None:
        raise UnsupportedError(
            f"{who} does not support StochasticWeightAveraging: the final weights are not those "
            "that were scored; use WeightAveraging"
        )


def check_strategy(strategy: Strategy, who: str, *, sharded: bool = False) -> None:
    """Refuse a strategy under which the state of the run is out of reach.

    Args:
        strategy: The Trainer's strategy.
        who: The name of our callback, for the message.
        sharded: Whether it can exchange what each process holds of the weights.

    Raises:
        UnsupportedError: If it is one, or `DDPStrategy` with what rivals would have to share.
    """
    if isinstance(strategy, either(DeepSpeedStrategy)):
        raise UnsupportedError(
            f"{who} does not support DeepSpeedStrategy: its engine keeps weights, gradients and "
            f"optimizer state where copies of them cannot be exchanged; use {_INSTEAD[sharded]}"
        )
    whole = isinstance(strategy, (*either(SingleDeviceStrategy), *either(DDPStrategy)))
    if not whole and not (sharded and is_sharded(strategy)):
        raise UnsupportedError(
            f"{who} supports one device and {_SUPPORTED[sharded]}; {type(strategy).__name__} keeps "
            "weights, gradients or optimizer state where copies of them cannot be exchanged"
        )
    if isinstance(strategy, either(DDPStrategy)) and strategy._ddp_comm_state is not None:
        raise UnsupportedError(
            f"{who} does not support DDPStrategy(ddp_comm_state=...): rivals would change that "
            "state"
        )


def _scheduler(trainer: Trainer) -> str:
    return type(trainer.lr_scheduler_configs[0].scheduler).__name__

"""The workloads by name: real, small, deterministic tasks of 5 to 20 seconds on one core.

Example:
    task = make("mlp_flights", seed=0)
    run = train(task, task.make_optimizer(lr=1e-3), PROFILES["cosine"])
"""

from collections.abc import Callable, Mapping, Sequence

from examples.time_to_target.tasks_base import Batch as Batch
from examples.time_to_target.tasks_base import Task as Task
from examples.time_to_target.tasks_digits import finetune_digits, logreg_digits
from examples.time_to_target.tasks_hard_perceptrons import (
    constant_part,
    deep_relu,
    onecycle,
    parity,
)
from examples.time_to_target.tasks_hard_transformers import (
    bert,
    char_transformer,
    lora_digits,
    vit_digits,
)
from examples.time_to_target.tasks_hard_unlabelled import byol_digits, vae_kl
from examples.time_to_target.tasks_heldout import autoencoder_mnist5k, context_pysrc
from examples.time_to_target.tasks_images import cnn_mnist5k, dropnet_mnist5k
from examples.time_to_target.tasks_tables import mf_movielens, mlp_flights
from examples.time_to_target.tasks_text import gpt_pysrc

WORKLOADS: dict[str, Callable[[int, float], Task]] = {
    "cnn_mnist5k": cnn_mnist5k,
    "mlp_flights": mlp_flights,
    "gpt_pysrc": gpt_pysrc,
    "mf_movielens": mf_movielens,
    "logreg_digits": logreg_digits,
    "dropnet_mnist5k": dropnet_mnist5k,
    "finetune_digits": finetune_digits,
}

# Run by name only: no choice was made on them, see POLICIES.md.
HELD_OUT: dict[str, Callable[[int, float], Task]] = {
    "autoencoder_mnist5k": autoencoder_mnist5k,
    "context_pysrc": context_pysrc,
}

# Runs as people have them: at chance at first, with an own schedule, a loss that moves by design.
HARD_STARTS: dict[str, Callable[[int, float], Task]] = {
    "parity": parity,
    "vit_digits": vit_digits,
    "bert": bert,
    "char_transformer": char_transformer,
    "vae_kl": vae_kl,
    "byol_digits": byol_digits,
    "lora_digits": lora_digits,
    "constant_part": constant_part,
    "deep_relu": deep_relu,
    "onecycle": onecycle,
}
ALL = WORKLOADS | HELD_OUT | HARD_STARTS
GROUPS: dict[str, Mapping[str, object]] = {
    "workloads": WORKLOADS,
    "held_out": HELD_OUT,
    "hard_starts": HARD_STARTS,
}


def expanded(names: Sequence[str]) -> list[str]:
    """Return names of workloads, with those of a group in its place, each once."""
    return list(dict.fromkeys(each for name in names for each in GROUPS.get(name, [name])))


def make(name: str, seed: int = 0, scale: float = 1.0) -> Task:
    """Return a workload at a seed, with ``scale`` times its usual steps.

    Raises:
        KeyError: If there is no such workload.
    """
    if name not in ALL:
        raise KeyError(f"no workload {name!r}; there are: {', '.join(ALL)}")
    return ALL[name](seed, scale)

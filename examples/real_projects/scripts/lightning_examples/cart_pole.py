"""Gymnasium's cart with a pole, and how well a policy keeps the pole up."""

from collections.abc import Callable, Iterable

import gymnasium
import torch
from torch import Tensor, nn

ENVIRONMENT, INPUTS, ACTIONS, LIMIT = "CartPole-v1", 4, 2, 200  # steps of an episode, at most

Policy = Callable[[Tensor], int]


def make() -> gymnasium.Env:
    """Return a new environment."""
    return gymnasium.make(ENVIRONMENT, max_episode_steps=LIMIT)


def network(outputs: int) -> nn.Sequential:
    """Return a small network from what is observed.

    Args:
        outputs: How many numbers it says.
    """
    return nn.Sequential(nn.Linear(INPUTS, 64), nn.ReLU(), nn.Linear(64, outputs))


@torch.no_grad()
def mean_return(policy: Policy, seeds: Iterable[int]) -> float:
    """Return the mean over episodes of how many steps the pole stays up.

    Args:
        policy: The action for what is observed.
        seeds: One for each episode.
    """
    environment, returns = make(), []
    for seed in seeds:
        state, _ = environment.reset(seed=seed)
        total, over = 0.0, False
        while not over:
            state, reward, fallen, late, _ = environment.step(policy(torch.from_numpy(state)))
            total, over = total + float(reward), fallen or late
        returns.append(total)
    environment.close()
    return sum(returns) / len(returns)

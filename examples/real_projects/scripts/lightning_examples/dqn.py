"""Deep Q-learning as in Lightning's examples: the module plays as it trains; no validation."""

import random
from collections import deque
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from lightning.pytorch import LightningModule, Trainer, seed_everything
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from examples.real_projects.fitted import TRAINER, Fitted, fitted
from examples.real_projects.scripts.lightning_examples import cart_pole

METRIC, SCHEDULED = "missing steps", False  # of the longest episode, on average
SEARCH: dict[str, str] = {}
RATE = 1e-2  # of Lightning's example
STEPS = 1500
_MEMORY, _FIRST, _BATCH, _SYNC, _DISCOUNT = 1000, 200, 16, 10, 0.99


class Experience(NamedTuple):
    """A step of the environment."""

    state: np.ndarray[Any, Any]
    action: int
    reward: float
    done: bool
    following: np.ndarray[Any, Any]


class Replay(IterableDataset[Any]):
    """Draws from what was played last.

    Args:
        memory: What was played; it grows while this is read.
    """

    def __init__(self, memory: deque[Experience]) -> None:
        self.memory = memory

    def __iter__(self) -> Iterator[Experience]:
        yield from (self.memory[i] for i in np.random.choice(len(self.memory), 200, replace=False))


class DQN(LightningModule):
    """Learns the worth of actions from those that it has played."""

    def __init__(self, rate: float, seed: int) -> None:
        super().__init__()
        self.rate = rate
        self.net = cart_pole.network(cart_pole.ACTIONS)
        self.target_net = cart_pole.network(cart_pole.ACTIONS)
        self.memory: deque[Experience] = deque(maxlen=_MEMORY)
        self.environment = cart_pole.make()
        self.state, _ = self.environment.reset(seed=seed)
        for _ in range(_FIRST):
            self.play(chance=1.0)

    def play(self, chance: float) -> None:
        """Make a step of the environment.

        Args:
            chance: How often the action is drawn.
        """
        action = random.randrange(cart_pole.ACTIONS)
        if random.random() >= chance:
            action = self.best(torch.from_numpy(self.state))
        following, reward, fallen, late, _ = self.environment.step(action)
        self.memory.append(Experience(self.state, action, float(reward), fallen, following))
        self.state = self.environment.reset()[0] if fallen or late else following

    @torch.no_grad()
    def best(self, state: Tensor) -> int:
        """Return the action that is worth most."""
        return int(self.net(state).argmax())

    def training_step(self, batch: Any) -> Tensor:
        """Play a step, then compare what actions are worth with what they led to."""
        self.play(chance=max(0.02, 1.0 - self.global_step / 400))
        states, actions, rewards, done, following = batch
        worth = self.net(states).gather(1, actions[:, None]).squeeze(1)
        with torch.no_grad():
            later = self.target_net(following).amax(1).masked_fill(done, 0.0)
        loss = F.mse_loss(worth, rewards.float() + _DISCOUNT * later)
        if self.global_step % _SYNC == 0:
            self.target_net.load_state_dict(self.net.state_dict())
        self.log("train_loss", loss, prog_bar=True, batch_size=len(states))
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return Adam for the network that plays."""
        return torch.optim.Adam(self.net.parameters(), lr=self.rate)

    def train_dataloader(self) -> DataLoader[Any]:
        """Return batches of what was played."""
        return DataLoader(Replay(self.memory), _BATCH)


def fit(callbacks: list[Any], max_steps: int, seed: int, rate: float = RATE) -> Fitted:
    """Train, then play the best actions for a while."""
    seed_everything(seed)
    module = DQN(rate, seed)
    trainer = Trainer(max_epochs=-1, max_steps=max_steps, callbacks=callbacks, **TRAINER)
    trainer.fit(module)
    return fitted(module, cart_pole.LIMIT - cart_pole.mean_return(module.best, range(100, 120)))

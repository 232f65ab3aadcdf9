"""Proximal policy optimization as in Lightning's examples, with a validation that plays."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

import torch
from lightning.pytorch import LightningModule, Trainer, seed_everything
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from examples.real_projects.fitted import TRAINER, Fitted, fitted
from examples.real_projects.scripts.lightning_examples import cart_pole

if TYPE_CHECKING:
    from lightning.pytorch.core.optimizer import LightningOptimizer

METRIC = "val_return"
SEARCH, SCHEDULED = {"monitor": METRIC, "mode": "max"}, False
RATE = 1e-3  # of the critic, as in Lightning's example; the actor has 0.3 of it
STEPS = 160  # batches
_PASSES = 4  # of a batch: steps of either network
_PLAYED, _BATCH, _DISCOUNT, _CLIP = 256, 64, 0.99, 0.2

Played = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]  # states, actions, chances, returns, gains


class Trajectories(IterableDataset[Any]):
    """Plays by the present policy for an epoch; yields the steps that it made.

    Args:
        module: Whose policy plays.
        seed: Of the environment.
    """

    def __init__(self, module: "PPO", seed: int) -> None:
        self.module, self.environment = module, cart_pole.make()
        self.state, _ = self.environment.reset(seed=seed)

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        yield from zip(*self.play(), strict=True)

    @torch.no_grad()
    def play(self) -> Played:
        """Return the steps of an epoch, with discounted returns and their gain over the critic."""
        states: list[Tensor] = []
        actions: list[Tensor] = []
        rewards: list[float] = []
        for _ in range(_PLAYED):
            states.append(torch.from_numpy(self.state))
            actions.append(torch.multinomial(self.module.actor(states[-1]).softmax(0), 1)[0])
            self.state, reward, fallen, late, _ = self.environment.step(int(actions[-1]))
            over = fallen or late
            rewards.append(0.0 if over else float(reward))  # 0: what follows has no worth
            if over:
                self.state, _ = self.environment.reset()
        seen, acted = torch.stack(states), torch.stack(actions)
        values = self.module.critic(seen).squeeze(1)
        later, returns = float(self.module.critic(torch.from_numpy(self.state))), []
        for reward in reversed(rewards):
            later = reward and reward + _DISCOUNT * later
            returns.append(later)
        worth = torch.tensor(returns[::-1])
        gains = (worth - values - (worth - values).mean()) / (worth - values).std()
        return seen, acted, self.module.chances(seen, acted), worth, gains


class PPO(LightningModule):
    """An actor and a critic, each with an optimizer; several steps on each batch."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.rate = rate
        self.actor = cart_pole.network(cart_pole.ACTIONS)
        self.critic = cart_pole.network(1)

    def chances(self, states: Tensor, actions: Tensor) -> Tensor:
        """Return the logarithms of how likely the actions are.

        Args:
            states: What is observed.
            actions: One for each.
        """
        chosen: Tensor = self.actor(states).log_softmax(1).gather(1, actions[:, None])
        return chosen.squeeze(1)

    def training_step(self, batch: Played) -> None:
        """Step both networks a few times."""
        states, actions, chances, returns, gains = batch
        of_actor, of_critic = cast("list[LightningOptimizer]", self.optimizers())
        for _ in range(_PASSES):
            ratio = (self.chances(states, actions) - chances).exp()
            clipped = ratio.clamp(1 - _CLIP, 1 + _CLIP)
            actor_loss = -torch.min(ratio * gains, clipped * gains).mean()
            of_actor.zero_grad()
            self.manual_backward(actor_loss)
            of_actor.step()
            critic_loss = (returns - self.critic(states).squeeze(1)).pow(2).mean()
            of_critic.zero_grad()
            self.manual_backward(critic_loss)
            of_critic.step()
        self.log_dict({"actor_loss": actor_loss, "critic_loss": critic_loss})

    def validation_step(self, batch: Tensor) -> None:
        """Log the return of the likeliest actions."""
        played = cart_pole.mean_return(lambda s: int(self.actor(s).argmax()), batch.tolist())
        self.log(METRIC, played, prog_bar=True, batch_size=len(batch))

    def configure_optimizers(self) -> Any:
        """Return an Adam for each network."""
        return [
            torch.optim.Adam(self.actor.parameters(), lr=0.3 * self.rate),
            torch.optim.Adam(self.critic.parameters(), lr=self.rate),
        ]


def fit(callbacks: list[Any], max_steps: int, seed: int, rate: float = RATE) -> Fitted:
    """Train; each validation plays the same five episodes."""
    seed_everything(seed)
    module = PPO(rate)
    trainer = Trainer(
        max_epochs=-1, max_steps=2 * _PASSES * max_steps, check_val_every_n_epoch=4,
        callbacks=callbacks, **TRAINER,
    )  # fmt: skip
    episodes: Any = torch.arange(100, 105)
    trainer.fit(
        module, DataLoader(Trajectories(module, seed), _BATCH), DataLoader(episodes, len(episodes))
    )
    return fitted(module, trainer.callback_metrics[METRIC])

"""A GAN as in Lightning's examples: two optimizers, stepped by hand, on handwritten digits."""

from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

import torch
import torch.nn.functional as F
from lightning.pytorch import LightningModule, Trainer, seed_everything
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from examples.real_projects.fitted import TRAINER, Fitted, fitted

if TYPE_CHECKING:
    from lightning.pytorch.core.optimizer import LightningOptimizer

METRIC = "val_distance"
SEARCH, SCHEDULED = {"monitor": METRIC, "mode": "min"}, False
RATE = 2e-4  # of both, as in Lightning's example
STEPS = 600  # batches: each is a step of either network, and Lightning counts both
_LATENT, _PIXELS = 16, 64


def _layers(*widths: int) -> nn.Sequential:
    layers = [layer for pair in pairwise(widths) for layer in (nn.Linear(*pair), nn.LeakyReLU(0.2))]
    return nn.Sequential(*layers[:-1])


class GAN(LightningModule):
    """One network makes digits, the other tells them from real ones.

    Attributes:
        validation_z: What digits are made of in validation.
        directions: In which they are compared with real ones there.
    """

    validation_z: Tensor
    directions: Tensor

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.rate = rate
        self.generator = nn.Sequential(_layers(_LATENT, 64, 128, _PIXELS), nn.Tanh())
        self.discriminator = _layers(_PIXELS, 128, 64, 1)
        drawn = torch.Generator().manual_seed(1)
        self.register_buffer("validation_z", torch.randn(400, _LATENT, generator=drawn))
        self.register_buffer("directions", torch.randn(_PIXELS, 64, generator=drawn))

    def training_step(self, batch: tuple[Tensor]) -> None:
        """Step the generator, then the discriminator."""
        (real,) = batch
        ones, zeros = real.new_ones(len(real), 1), real.new_zeros(len(real), 1)
        of_generator, of_discriminator = cast("list[LightningOptimizer]", self.optimizers())

        self.toggle_optimizer(of_generator)
        made = self.generator(torch.randn(len(real), _LATENT).type_as(real))
        loss = F.binary_cross_entropy_with_logits(self.discriminator(made), ones)
        self.log("g_loss", loss, prog_bar=True)
        self.manual_backward(loss)
        of_generator.step()
        of_generator.zero_grad()
        self.untoggle_optimizer(of_generator)

        self.toggle_optimizer(of_discriminator)
        known = F.binary_cross_entropy_with_logits(self.discriminator(real), ones)
        told = F.binary_cross_entropy_with_logits(self.discriminator(made.detach()), zeros)
        self.log("d_loss", (known + told) / 2, prog_bar=True)
        self.manual_backward((known + told) / 2)
        of_discriminator.step()
        of_discriminator.zero_grad()
        self.untoggle_optimizer(of_discriminator)

    def validation_step(self, batch: tuple[Tensor]) -> None:
        """Log the sliced Wasserstein distance between made and real digits."""
        (real,) = batch
        made = self.generator(self.validation_z[: len(real)])
        seen = [(pictures @ self.directions).sort(dim=0).values for pictures in (made, real)]
        self.log(METRIC, (seen[0] - seen[1]).abs().mean(), batch_size=len(real))

    def configure_optimizers(self) -> Any:
        """Return an Adam for each network."""
        settings: dict[str, Any] = {"lr": self.rate, "betas": (0.5, 0.999)}
        networks = (self.generator, self.discriminator)
        return [torch.optim.Adam(network.parameters(), **settings) for network in networks]


def fit(callbacks: list[Any], max_steps: int, seed: int, rate: float = RATE) -> Fitted:
    """Train on 1,400 digits; the others show how good the made ones are."""
    seed_everything(seed)
    pixels = torch.tensor(load_digits().data, dtype=torch.float32) / 8 - 1
    training, validation = TensorDataset(pixels[:1400]), TensorDataset(pixels[1400:])
    module = GAN(rate)
    trainer = Trainer(
        max_steps=2 * max_steps, val_check_interval=50, check_val_every_n_epoch=None,
        callbacks=callbacks, **TRAINER,
    )  # fmt: skip
    trainer.fit(module, DataLoader(training, 32, shuffle=True), DataLoader(validation, 397))
    return fitted(module, trainer.callback_metrics[METRIC])

"""Runs in which what trains changes on the way."""
# mypy: allow-untyped-calls, no-check-untyped-defs

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import parametrize
from torch.utils.data import DataLoader, TensorDataset

from tests.callbacks.namespace import BackboneFinetuning, BaseFinetuning, ModelPruning, pl

LR = 2.0**-6
AT = 2  # the epoch of the change, of 8


class Part(pl.LightningModule):
    """A backbone with batch norm, not frozen yet, and a head."""

    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Tanh())
        self.head = nn.Linear(8, 3)

    def forward(self, inputs):
        return self.head(self.backbone(inputs))

    def training_step(self, batch, batch_idx):
        return F.cross_entropy(self(batch[0]), batch[1])

    def validation_step(self, batch, batch_idx):
        self.log("val_loss", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self):
        trained = [parameter for parameter in self.parameters() if parameter.requires_grad]
        return torch.optim.AdamW(trained, lr=LR)

    @property
    def groups(self):
        return self.trainer.optimizers[0].param_groups

    def change(self):
        """Changes what trains, as the epoch begins."""

    def on_train_epoch_start(self):
        if self.current_epoch == AT:
            self.change()


class Frozen(Part):
    """Everything is in the optimizer; the backbone trains from an epoch on."""

    def __init__(self):
        super().__init__()
        self.backbone.requires_grad_(False)

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=LR)

    def change(self):
        self.backbone.requires_grad_(True)


class FrozenInStep(Frozen):
    """The same, switched within a step."""

    def change(self):
        pass

    def training_step(self, batch, batch_idx):
        if self.global_step == 10 * AT + 3:
            self.backbone.requires_grad_(True)
        return super().training_step(batch, batch_idx)


class Refrozen(Part):
    """The backbone is frozen on the way."""

    def change(self):
        self.backbone.requires_grad_(False)


class Alternating(Part):
    """Two parts train in turns."""

    def training_step(self, batch, batch_idx):
        self.backbone.requires_grad_(batch_idx % 2 == 0)
        self.head.requires_grad_(batch_idx % 2 == 1)
        return super().training_step(batch, batch_idx)


class Growing(Part):
    """A module joins, with a group of its own."""

    def __init__(self):
        super().__init__()
        self.extra = None

    def forward(self, inputs):
        hidden = self.backbone(inputs)
        return self.head(hidden if self.extra is None else hidden + self.extra(hidden))

    def change(self):
        self.extra = nn.Linear(8, 8)
        self.trainer.optimizers[0].add_param_group({"params": self.extra.parameters()})


class GrowingInStep(Growing):
    """A module joins within a step."""

    def change(self):
        pass

    def training_step(self, batch, batch_idx):
        if self.extra is None and self.global_step == 7:
            Growing.change(self)
        return super().training_step(batch, batch_idx)


class NewHead(Part):
    """The head is replaced, in the model and in the optimizer."""

    def change(self):
        self.head = nn.Linear(8, 3)
        self.groups[0]["params"] = list(self.parameters())


class Shrinking(Part):
    """The batch norm is taken out of the model and the optimizer."""

    def change(self):
        self.backbone[1] = nn.Identity()
        self.groups[0]["params"] = list(self.parameters())


class Resized(Part):
    """A parameter gives way to a larger one in the same module."""

    def forward(self, inputs):
        return super().forward(inputs)[:, :3]

    def change(self):
        wide = nn.Linear(8, 4)
        self.head.weight, self.head.bias = wide.weight, wide.bias
        self.groups[0]["params"] = list(self.parameters())


class Halved(nn.Module):
    """A parametrization."""

    def forward(self, weight):
        return weight / 2

    def right_inverse(self, weight):
        return weight * 2


class Parametrized(Part):
    """The weight of the head becomes a function of another parameter."""

    def change(self):
        parametrize.register_parametrization(self.head, "weight", Halved())
        self.groups[0]["params"] = list(self.parameters())


class Leaving(Part):
    """The parameters of the backbone leave the optimizer, and stay trainable."""

    def change(self):
        self.groups[0]["params"] = list(self.head.parameters())


class Lazy(Part):
    """The weights of a layer are made in its first forward pass."""

    def __init__(self):
        super().__init__()
        self.backbone[0] = nn.LazyLinear(8)


class LateBuffers(Part):
    """A buffer holds no tensor, another one does not exist, before the first step."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", None)

    def training_step(self, batch, batch_idx):
        mean = batch[0].mean(0)
        self.mean = mean if self.mean is None else 0.9 * self.mean + 0.1 * mean
        if not hasattr(self, "steps"):
            self.register_buffer("steps", torch.zeros(()))
        self.steps += 1
        return super().training_step([batch[0] - self.mean, batch[1]], batch_idx)


class Outside(Part):
    """A parameter that no module holds, in the optimizer."""

    def __init__(self):
        super().__init__()
        self.scale = [nn.Parameter(torch.ones(3))]

    def forward(self, inputs):
        return super().forward(inputs) * self.scale[0]

    def configure_optimizers(self):
        return torch.optim.SGD([*self.parameters(), *self.scale], lr=LR, momentum=0.9)


class Unfreeze(BaseFinetuning):
    """Unfreezes parts of the backbone, each in an epoch."""

    def __init__(self, epochs=(AT, 5)):
        super().__init__()
        self.epochs = epochs

    def freeze_before_training(self, pl_module):
        self.freeze(pl_module.backbone, train_bn=False)

    def finetune_function(self, pl_module, epoch, optimizer):
        for part, at in zip(pl_module.backbone, self.epochs, strict=False):
            if epoch == at:
                self.unfreeze_and_add_param_group(part, optimizer, initial_denom_lr=4)


def backbone(epoch=AT):
    return BackboneFinetuning(epoch, backbone_initial_ratio_lr=0.25, verbose=False)


def pruning():
    return ModelPruning("l1_unstructured", amount=0.2, parameter_names=["weight"])


KINDS = {
    "BackboneFinetuning": (Part, backbone),
    "BackboneFinetuning in the race": (Part, lambda: backbone(1)),
    "BaseFinetuning": (Part, Unfreeze),
    "ModelPruning": (Part, pruning),
    **{
        make.__name__: (make, None)
        for make in (
            *(Frozen, FrozenInStep, Refrozen, Alternating, Growing, GrowingInStep, NewHead),
            *(Shrinking, Resized, Parametrized, Leaving, Lazy, LateBuffers, Outside),
        )
    },
}


def data(count, seed):
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(count, 4, generator=generator)
    labels = (inputs[:, 0] * inputs[:, 1] > 0).long() + (inputs[:, 2] > 1).long()
    return TensorDataset(inputs, labels)


TRAIN, VAL = data(80, seed=1), data(60, seed=2)


def fit(make, callbacks=(), *, ckpt_path=None, **settings):
    """Train on 10 batches an epoch; return the module and the trainer."""
    torch.set_num_threads(1)
    pl.seed_everything(3, verbose=False)
    module = make()
    trainer = pl.Trainer(
        **{
            "accelerator": "cpu",
            "logger": False,
            "enable_checkpointing": False,
            "callbacks": list(callbacks),
            "enable_progress_bar": False,
            "enable_model_summary": False,
            "max_epochs": 8,
            **settings,
        }
    )
    loaders = DataLoader(TRAIN, 8, shuffle=True), DataLoader(VAL, 60)
    trainer.fit(module, *loaders, ckpt_path=ckpt_path)
    return module, trainer

"""A graph convolutional network of PyTorch Geometric, on the nodes of a made graph."""

from typing import Any

import torch
import torch.nn.functional as F
from lightning.pytorch import LightningModule, Trainer, seed_everything
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.data.lightning import LightningNodeData
from torch_geometric.nn import GCN
from torch_geometric.utils import stochastic_blockmodel_graph

from examples.real_projects.fitted import TRAINER, Fitted, fitted

METRIC, SEARCH, SCHEDULED = "val_loss", {"monitor": "val_loss"}, False
RATE = 0.01  # of PyG's example
STEPS = 200  # each is an epoch: the graph is one batch
_CLASSES, _NODES, _FEATURES = 5, 120, 32  # nodes of a class


class NodeClassifier(LightningModule):
    """Two convolutions with dropout, as in PyG's example."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate
        self.network = GCN(_FEATURES, 16, num_layers=2, out_channels=_CLASSES, dropout=0.5)

    def training_step(self, batch: Data) -> Tensor:
        """Return the loss of the nodes whose class is known."""
        loss = self._loss(batch, batch.train_mask)
        self.log("train_loss", loss, batch_size=1)
        return loss

    def validation_step(self, batch: Data) -> None:
        """Log the loss of others."""
        self.log("val_loss", self._loss(batch, batch.val_mask), prog_bar=True, batch_size=1)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return Adam, with the weight decay of the first layer as in the paper."""
        first, last = self.network.convs
        groups = [
            {"params": first.parameters(), "weight_decay": 5e-4},
            {"params": last.parameters(), "weight_decay": 0.0},
        ]
        return torch.optim.Adam(groups, lr=self.rate)

    def _loss(self, graph: Data, mask: Tensor) -> Tensor:
        return F.cross_entropy(self.network(graph.x, graph.edge_index)[mask], graph.y[mask])


def graph() -> Data:
    """Return a graph whose nodes know their class by neighbours and noisy features."""
    within, between = 0.06, 0.01
    chances = torch.full((_CLASSES, _CLASSES), between).fill_diagonal_(within)
    edges = stochastic_blockmodel_graph(torch.full((_CLASSES,), _NODES), chances)
    labels = torch.arange(_CLASSES).repeat_interleave(_NODES)
    centres = 0.5 * torch.randn(_CLASSES, _FEATURES)
    features = centres[labels] + torch.randn(len(labels), _FEATURES)
    known = torch.rand(len(labels)) < 0.1
    return Data(x=features, edge_index=edges, y=labels, train_mask=known, val_mask=~known)


def fit(callbacks: list[Any], max_steps: int, seed: int, rate: float = RATE) -> Fitted:
    """Train on the whole graph."""
    seed_everything(seed)
    data, module = graph(), NodeClassifier(rate)
    trainer = Trainer(
        max_epochs=max_steps, max_steps=max_steps, log_every_n_steps=1, callbacks=callbacks,
        **TRAINER,
    )  # fmt: skip
    trainer.fit(module, LightningNodeData(data, loader="full"))
    return fitted(module, trainer.callback_metrics[METRIC])

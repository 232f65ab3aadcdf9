"""Training data that are drawn from what the module has played, as in deep Q-learning."""
# mypy: allow-untyped-calls, no-check-untyped-defs

from collections import deque

import pytest
import torch
from torch.utils.data import DataLoader, IterableDataset

from autolr.callbacks import AutoLR
from autolr.online import Annealed
from tests.callbacks.namespace import pl

LR = 2.0**-7
QUIET = {"logger": False, "enable_checkpointing": False, "enable_model_summary": False}


class Memory:
    """What was played last."""

    def __init__(self):
        self.last = deque(maxlen=32)


class Draws(IterableDataset[torch.Tensor]):
    """Reads a memory."""

    def __init__(self, memory):
        self.memory = memory

    def __iter__(self):
        yield from list(getattr(self.memory, "last", self.memory))[:16]


class Player(pl.LightningModule):
    """Plays a step in each training step; without a validation."""

    plays = True

    def __init__(self, memory):
        super().__init__()
        self.net = torch.nn.Linear(2, 1)
        self.memory = memory
        self.data = Draws(memory)
        self.played = 0
        for _ in range(16):
            self.play()

    def play(self):
        self.played += 1
        angle = torch.tensor(0.3 * self.played)
        getattr(self.memory, "last", self.memory).append(torch.stack([angle.cos(), angle.sin()]))

    def training_step(self, batch, batch_idx):
        if self.plays:
            self.play()
        return (self.net(batch) - batch.sum(1, keepdim=True)).square().mean()

    def configure_optimizers(self):
        return torch.optim.Adam(self.net.parameters(), LR)

    def train_dataloader(self):
        return DataLoader(self.data, 4)


class Reader(Player):
    """Holds its data, and leaves them as they are."""

    plays = False


def fit(tmp_path, make, memory, callbacks=()):
    torch.manual_seed(0)
    module = make(memory)
    trainer = pl.Trainer(
        max_steps=60, max_epochs=-1, accelerator="cpu", callbacks=[*callbacks],
        default_root_dir=tmp_path, enable_progress_bar=False, **QUIET,
    )  # fmt: skip
    trainer.fit(module)
    return module


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("make", "name"), [(lambda: deque(maxlen=32), "memory"), (Memory, "memory.last")]
)
def test_no_rivals_race_where_data_are_drawn_from_what_steps_write(make, name, tmp_path):
    callback, memory = AutoLR(Annealed()), make()
    with pytest.warns(UserWarning, match="no rivals are trained") as lines:
        searched = fit(tmp_path / "beside", Player, memory, [callback])
    (line,) = (str(w.message) for w in lines if "no rivals" in str(w.message))
    assert f"the training data are drawn from {name}, which steps change" in line
    alone = fit(tmp_path / "alone", Player, make())
    assert torch.equal(searched.net.weight, alone.net.weight)
    assert searched.memory is memory
    assert searched.played == alone.played == 16 + 60


@pytest.mark.filterwarnings("ignore")
def test_rivals_race_where_steps_leave_the_data_of_the_module_as_they_are(tmp_path):
    callback = AutoLR(Annealed())
    fit(tmp_path, Reader, deque(maxlen=32), [callback])
    assert callback.result.probe_steps > 0

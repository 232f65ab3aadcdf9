"""A strategy that follows a script, and small runs for it that can be repeated bit for bit."""
# mypy: allow-untyped-calls, no-check-untyped-defs

from dataclasses import dataclass, field, replace

import torch
import torch.nn.functional as F
from torch import nn

import autolr
from autolr import schedules
from autolr.candidate import Candidate
from autolr.online import Observation

STEPS = 24
RUN = Candidate(peak=2.0**-5, schedule=schedules.constant())
RIVAL = replace(RUN, peak=2.0**-3)
BATCHES = 6
VALIDATION = 5


@dataclass(frozen=True)
class Scripted:
    """Answers with the actions of a list, whatever it observes."""

    actions: tuple[object, ...]
    at: int = 0
    seen: list[Observation] = field(default_factory=list, compare=False)
    budget: float = field(default=3.0, compare=False)
    rewinds: bool = field(default=False, compare=False)

    def begin(self, run):
        return self

    @property
    def action(self):
        return self.actions[self.at]

    def observe(self, observation):
        self.seen.append(observation)
        return replace(self, at=self.at + 1)

    def to_dict(self):
        return {"at": self.at}

    def state_from_dict(self, values):
        return replace(self, **values)


def loss(model, batch):
    return F.cross_entropy(model(batch[0]), batch[1])


def by_batch(model):
    """Return the losses on the validation batches."""
    return [float(loss(model, batch).detach()) for batch in data(VALIDATION, seed=2)]


def data(count, seed):
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(count, 8, 4, generator=generator)
    return [(some, some.argmax(1)) for some in inputs]


def learner(validate=by_batch, *, lr=RUN.peak, batches=None, **settings):
    """Return a run with dropout and momentum; its batches and generators are the same each time."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 4))
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    given = data(BATCHES, seed=1) if batches is None else batches
    return autolr.TorchLearner(model, optimizer, given, loss, validate=validate, **settings)


def searched(*actions, run=None, steps=STEPS):
    """Return a run, the result of a search by a script beside it, and what the script observed."""
    run = learner() if run is None else run
    script = Scripted(actions)
    result = autolr.search(run, steps, strategy=script)
    return run, result, script.seen


def left(run):
    """Return all that training has changed."""
    model, optimizer = run.model, run.optimizer
    momenta = [optimizer.state[p]["momentum_buffer"] for p in model.parameters()]
    return [*model.state_dict().values(), *momenta, torch.get_rng_state()]

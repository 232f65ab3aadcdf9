"""Whether a training step can be repeated: found out before a race, which repeats every step.

A step may depend on what no copy of the run has: an environment in another process, a file, a
counter of a class. Rivals would take it from the live run, and no step could be replayed.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Self

from torch import Tensor
from torch.nn.parameter import is_lazy

from autolr.rng import isolated_rng
from autolr.runtime.attribute_values import IS_PLAIN, copied_value
from autolr.runtime.attributes import Attributes
from autolr.runtime.average import Average
from autolr.runtime.drawn_data import drawn_from
from autolr.runtime.equality import EXACT, Tolerance, are_equal
from autolr.runtime.held_objects import HeldObjects
from autolr.runtime.learner import Learner
from autolr.runtime.optimizer_groups import own_entries
from autolr.runtime.snapshot import Snapshot
from autolr.runtime.step_context import StepContext
from autolr.runtime.tensor_memory import copied
from autolr.runtime.untouched import changeable, untouched
from autolr.runtime.weight_views import WeightViews

# Sums on an accelerator, and some on a CPU, come out in another order each time: that much a step
# may differ from itself.
_NEARLY = Tolerance(tensors=1e-4)
_NAMED = 3  # names in a line: enough to find the place, and it stays one
_VERIFIED = 3  # steps: enough for what one step leaves and the next one uses
_FOREIGN = frozenset({"builtins", "torch", "lightning", "pytorch_lightning", "torchmetrics"})


def obstacle_to_rivals(learner: Learner, *, repeat: bool, data: object = None) -> str | None:
    """Return why no rivals can be trained beside a run; None if they can.

    Args:
        learner: The run before its first step, with the batch of that step.
        repeat: Whether a step is computed twice on a copy, to see whether it differs, and whether
            it writes what ``data`` are drawn from.
        data: The loader of the training data; None: it is not known.
    """
    held = HeldObjects(learner.model, learner.optimizer)
    if held.uncopied:
        kinds = [f"{name} ({kind})" for name, kind in held.uncopied.items()]
        return f"no copy can be made of {_listed(kinds)}"
    views = WeightViews(learner.model)
    if within := [
        name for name, tensor in held.tensors.items() if views.place_of(tensor) is not None
    ]:
        return f"{_listed(within)} lies in the memory of a weight or buffer, and copies have theirs"
    if not repeat or any(map(is_lazy, learner.model.parameters())):
        return None
    begun = None if data is None else Attributes(learner.model)
    first, second = (_tried(learner, learner.trial_gradients) for _ in range(2))
    if differing := list(first.differences(second, _NEARLY)):
        return f"a repeated step differs in {_listed(differing)}"
    if begun is None:
        return None
    drawn = drawn_from(data, learner.model, begun.differences(first.attributes))
    return (
        f"the training data are drawn from {_listed(drawn)}, which steps change" if drawn else None
    )


def verify(learner: Learner) -> list[str]:
    """Return what differs, bit for bit, when steps are rolled back and made again; one line each.

    The run is left as it was.

    Args:
        learner: The run before its first step, with the batch of that step.
    """
    model, optimizer = learner.model, learner.optimizer
    run = model, optimizer, learner.extras, changeable(model)
    before = StepContext.capture(optimizer)
    with untouched(model, weights=True), Snapshot(*run).in_place():
        begun = _Outcome.of(learner)
        saved = Snapshot(*run)
        first = _made(learner)
        saved.exchange()
        rolled_back = list(begun.differences(_Outcome.of(learner)))
        before.restore()
        replayed = list(first.differences(_made(learner)))
    before.restore()
    lines = [f"{name} is not restored by a rollback" for name in rolled_back]
    return lines + [f"{name} differs when steps are made again" for name in replayed]


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What a step has led to.

    Attributes:
        attributes: Those of the modules, and of what they hold.
        values: Everything else, by name.
    """

    attributes: Attributes
    values: dict[str, Any]

    @classmethod
    def of(cls, learner: Learner, loss: Tensor | None = None) -> Self:
        """Return copies of the state in place.

        Args:
            learner: The run.
            loss: That of the step.
        """
        model, optimizer = learner.model, learner.optimizer
        names = {id(tensor): name for name, tensor in model.named_parameters()}
        values: dict[str, Any] = _of_classes(HeldObjects(model, optimizer))
        values |= {name: buffer.clone() for name, buffer in model.named_buffers()}
        for parameter in changeable(model):
            name = names[id(parameter)]
            values[name] = parameter.detach().clone()
            values[f"the gradient of {name}"] = copied(parameter.grad)
        for index, (key, state) in enumerate(optimizer.state.items()):
            values[f"the optimizer's state of {names.get(id(key), str(index))}"] = copied(state)
        for index, group in enumerate(optimizer.param_groups):
            values[f"group {index} of the optimizer"] = copied(own_entries(group))
        values["the loss"] = None if loss is None else loss.detach().clone()
        return cls(Attributes(model, optimizer), values)

    def differences(self, other: "_Outcome", tolerance: Tolerance = EXACT) -> Iterator[str]:
        """Yield the names of what differs, attributes first: they are what a user knows.

        Python's floats among the attributes are not compared: they may be times of the clock.
        """
        lenient = replace(tolerance, floats=math.inf)
        yield from self.attributes.differences(other.attributes, lenient)
        for name in [*self.values, *(other.values.keys() - self.values.keys())]:
            if not are_equal(self.values.get(name), other.values.get(name), tolerance):
                yield name


def _tried(learner: Learner, step: Callable[[], Tensor | None]) -> _Outcome:
    """Return the outcome of a step that leaves no trace."""
    model = learner.model
    before = StepContext.capture(learner.optimizer)
    copy = Snapshot(model, learner.optimizer, learner.extras, changeable(model))
    with untouched(model, weights=True), copy.in_place():
        outcome = _Outcome.of(learner, step())
    before.restore()
    return outcome


def _made(learner: Learner) -> _Outcome:
    """Make steps, score their average as a search does, and return the outcome."""
    average = Average(learner.model, learner.optimizer, _VERIFIED)
    loss = None
    for _ in range(_VERIFIED):
        loss = learner.trial_step()
        average.add()
    with isolated_rng(), average.in_place(learner.forward):
        score = learner.validate()
    outcome = _Outcome.of(learner, loss)
    outcome.values["the score"] = None if score is None else score.value
    return outcome


def _of_classes(held: HeldObjects) -> dict[str, Any]:
    """Return plain attributes of the user's classes, which all copies share."""
    classes = {base for holder in held.holders.values() for base in type(holder.owner).__mro__}
    own = [one for one in classes if one.__module__.partition(".")[0] not in _FOREIGN]
    return {
        f"{one.__name__}.{name}": copied_value(value, {})
        for one in sorted(own, key=lambda one: one.__qualname__)
        for name, value in vars(one).items()
        if not name.startswith("__") and IS_PLAIN[type(value)]
    }


def _listed(names: list[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")

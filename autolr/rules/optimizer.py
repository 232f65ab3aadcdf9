"""The torch optimizer whose steps a rule sizes."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, distributed
from torch.optim import Optimizer
from torch.optim.optimizer import ParamsT
from typing_extensions import override

from autolr.errors import ConfigError, UnsupportedError
from autolr.rng import RngState
from autolr.rules.base import Answer, LineSearch, Memory, Number, Rule, Statistics
from autolr.rules.directions import DIRECTIONS
from autolr.rules.joining import answer
from autolr.rules.line_search_steps import search
from autolr.rules.moves import move
from autolr.rules.vectors import Vectors, dense

Closure = Callable[[], Any]


class RuleOptimizer(Optimizer):
    """Makes steps of the size that a rule returns.

    ``group["lr"]`` is the peak, and schedulers multiply it as usual. Groups with a lower rate make
    steps that are smaller by the same ratio. The memory of a rule is in ``state`` and
    ``param_groups``, so checkpoints and snapshots contain it.

    Args:
        params: Parameters, or groups of them.
        rule: The rule.
        peak: The rate of groups that have no ``lr``.
        base: Makes the optimizer whose steps the rule sizes, in place of plain gradient steps: at
            each step its rate is the size that the rule returns.
        weight_decay: Decoupled: ``weights *= 1 - size x weight_decay`` before each step, in groups
            that have no ``weight_decay``. Ignored with a base, which has its own.

    Attributes:
        rule: The rule.
        loss: The loss of the next step, for calls of `step` without a closure, or with one that
            computes a part of the loss (accumulated gradients). It is used once.

    Raises:
        ConfigError: If the rule cannot size the steps of a base.
    """

    _base: Optimizer | None = None

    def __init__(
        self,
        params: ParamsT,
        rule: Rule,
        peak: float,
        *,
        base: Callable[[ParamsT], Optimizer] | None = None,
        weight_decay: float = 0.0,
    ) -> None:
        decay = {"weight_decay": weight_decay} if base is None else {}
        super().__init__(params, {"lr": peak, **decay})
        self.rule = rule
        if base is not None:
            self._take_base(base)
        self.param_groups[0] |= {"steps": 0, "memory": {}, "loss": None}
        pairs = {*rule.needs, *rule.begins_with} - {"loss"}
        self._letters = {letter for pair in pairs for letter in pair.split(".")}

    @property
    def loss(self) -> Tensor | float | None:
        """The loss of the next step. It is part of the state, as accumulated gradients are."""
        value: Tensor | float | None = self.param_groups[0]["loss"]
        return value

    @loss.setter
    def loss(self, value: Tensor | float | None) -> None:
        self.param_groups[0]["loss"] = value

    @property
    def searches(self) -> bool:
        """Whether a step evaluates its closure more than once."""
        return isinstance(self.rule, LineSearch)

    @override
    def step(self, closure: Closure | None = None) -> Any:
        """Make one step and return what the closure returned first.

        Args:
            closure: Computes the gradients and returns the loss. None if the gradients are already
                computed; a rule that needs the loss then reads `loss`.

        Raises:
            UnsupportedError: If the rule needs a loss or a closure and has none.
        """
        if self.searches and closure is None:
            raise UnsupportedError(f"{_name(self.rule)} tries its steps: step() needs a closure")
        before = RngState.capture() if self.searches else None
        returned = None if closure is None else self._evaluate(closure)
        loss, self.loss = self._loss(returned), None
        with torch.no_grad():
            self._step(closure, loss, before)
        return returned

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Swap the averaged weights in for a block, if the rule has an average."""
        held = self._averaged()
        own = [parameter.data for parameter in held]
        for parameter in held:
            parameter.data = self.state[parameter]["average"]
        try:
            yield
        finally:
            for parameter, data in zip(held, own, strict=True):
                parameter.data = data

    def take_averages(self) -> None:
        """Replace the weights by their average."""
        for parameter in self._averaged():
            parameter.data = self.state[parameter]["average"].clone()

    @override
    def add_param_group(self, param_group: dict[str, Any]) -> None:
        super().add_param_group(param_group)
        if self._base is not None:
            added = self.param_groups.pop()
            self._base.param_groups = self.param_groups
            self._base.add_param_group(_without_rate(added))
            self.param_groups[-1]["lr"] = added["lr"]

    @override
    def __getstate__(self) -> dict[str, Any]:
        own = {"rule": self.rule, "_base": self._base, "_letters": self._letters}
        return {**super().__getstate__(), **own}

    def _take_base(self, base: Callable[[ParamsT], Optimizer]) -> None:
        rule = self.rule
        own_move = rule.direction != "gradient" or rule.inertia
        if rule.per_tensor or own_move or isinstance(rule, LineSearch):
            raise ConfigError(f"{_name(rule)} has a direction of its own: base must be left out")
        rates = [group["lr"] for group in self.param_groups]
        self._base = base([_without_rate(group) for group in self.param_groups])
        self.param_groups = self._base.param_groups
        for group, rate in zip(self.param_groups, rates, strict=True):
            group["lr"] = rate

    def _evaluate(self, closure: Closure) -> Any:
        with torch.enable_grad():
            return closure()

    def _loss(self, returned: Any) -> Tensor | float | None:
        return returned if self.loss is None else self.loss

    def _step(self, closure: Closure | None, loss: Any, before: RngState | None) -> None:
        everywhere = [(p, group) for group in self.param_groups for p in group["params"]]
        indices = [index for index, (p, _) in enumerate(everywhere) if p.grad is not None]
        if not indices:
            return
        vectors = self._vectors([everywhere[index] for index in indices])
        first = self.param_groups[0]
        if "loss" in self._needs():
            vectors.loss = self._needed_loss(loss, vectors.weights[0].device)
        vectors.direction = DIRECTIONS[self.rule.direction](vectors, self.rule)
        statistics = self._statistics(vectors, (indices, len(everywhere)))
        memory = {name: _number(value) for name, value in first["memory"].items()}
        size, remembered = self._answer(vectors, statistics, memory, closure, before)
        first["memory"] = {name: _plain(value) for name, value in remembered.items()}
        first["steps"] += 1
        vectors.keep(self._letters)
        self._move(vectors, np.broadcast_to(size, len(everywhere))[indices])
        if self.rule.averaging:
            self._average(vectors, first["steps"])

    def _vectors(self, members: Sequence[tuple[Tensor, dict[str, Any]]]) -> Vectors:
        """Return the vectors of a step from its parameters with a gradient, and their groups."""
        rate = max(float(group["lr"]) for group in self.param_groups)
        return Vectors(
            weights=[parameter for parameter, _ in members],
            gradients=[dense(parameter.grad) for parameter, _ in members],
            states=[self.state[parameter] for parameter, _ in members],
            steps=self.param_groups[0]["steps"],
            rate=rate,
            shares=[float(group["lr"]) / rate if rate else 0.0 for _, group in members],
            decays=[group.get("weight_decay", 0.0) for _, group in members],
        )

    def _needs(self) -> tuple[str, ...]:
        first = self.rule.per_tensor or self.param_groups[0]["steps"] == 0  # a tensor may join
        return (*self.rule.needs, *self.rule.begins_with) if first else self.rule.needs

    def _statistics(self, vectors: Vectors, places: tuple[Sequence[int], int]) -> Statistics:
        steps, rate, loss = vectors.steps, vectors.rate, vectors.loss
        pairs = [pair for pair in self._needs() if pair != "loss"]
        if not pairs:
            return Statistics(steps, rate, loss, {})
        products = vectors.products(pairs).cpu().numpy()
        if not self.rule.per_tensor:
            sums = products.sum(axis=1).tolist()
            return Statistics(steps, rate, loss, dict(zip(pairs, sums, strict=True)))
        indices, count = places
        rows = np.zeros((len(pairs), count))
        rows[:, indices] = products
        return Statistics(steps, rate, loss, dict(zip(pairs, rows, strict=True)))

    def _needed_loss(self, loss: Any, device: torch.device) -> float:
        if loss is None:
            raise UnsupportedError(
                f"{_name(self.rule)} needs the loss: give step() a closure, or set "
                "optimizer.loss first (in a Trainer: add the callback ApplyRule)"
            )
        value = float(loss.detach() if isinstance(loss, Tensor) else loss)
        return _mean_over_ranks(value, device)

    def _answer(
        self,
        vectors: Vectors,
        statistics: Statistics,
        memory: Memory,
        closure: Closure | None,
        before: RngState | None,
    ) -> Answer:
        if not isinstance(self.rule, LineSearch):
            return answer(self.rule, statistics, memory)
        assert closure is not None
        assert before is not None
        device, everywhere = vectors.weights[0].device, np.ones(len(vectors.weights))

        def evaluate() -> float:
            before.restore()
            self.loss = None
            loss, self.loss = self._loss(self._evaluate(closure)), None
            return self._needed_loss(loss, device)

        trials = self.rule.trials(statistics, memory)
        return search(
            trials, vectors, lambda size: self._move(vectors, size * everywhere), evaluate
        )

    def _move(self, vectors: Vectors, sizes: np.ndarray[Any, Any]) -> None:
        """Move the weights; ``sizes``, shape (tensors,), are those of the highest rate."""
        if self._base is None:
            move(vectors, sizes.tolist(), self.rule)
        else:
            self._step_base(float(sizes[0]), vectors.rate)

    def _step_base(self, size: float, rate: float) -> None:
        assert self._base is not None
        self._base.param_groups, self._base.state = self.param_groups, self.state
        rates = [group["lr"] for group in self.param_groups]
        try:
            for group in self.param_groups:
                group["lr"] = size * float(group["lr"]) / rate if rate else 0.0
            self._base.step()
        finally:
            for group, own in zip(self.param_groups, rates, strict=True):
                group["lr"] = own

    def _average(self, vectors: Vectors, steps: int) -> None:
        """Update the polynomial-decay average of the weights (Shamir & Zhang 2013, eq. (4))."""
        power = self.rule.averaging
        means = vectors.kept("average")
        if means is None:
            vectors.keep_once("average", vectors.weights)
            return
        torch._foreach_lerp_(means, vectors.weights, (1 + power) / (steps + power))

    def _averaged(self) -> list[Tensor]:
        everywhere = (p for group in self.param_groups for p in group["params"])
        return [p for p in everywhere if "average" in self.state.get(p, {})]


def _without_rate(group: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in group.items() if name != "lr"}


def _mean_over_ranks(value: float, device: torch.device) -> float:
    """Return the mean of the ranks' values; DDP averages gradients, but each rank has its loss."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return value
    ranks = distributed.get_world_size()
    if ranks == 1:
        return value
    total = torch.tensor(value, dtype=torch.float64, device=device)
    distributed.all_reduce(total)
    return float(total) / ranks


def _number(value: Any) -> Number:
    return np.asarray(value) if isinstance(value, list) else float(value)


def _plain(value: Any) -> Any:
    """Return a float or a list of them, which a checkpoint holds without code."""
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def _name(rule: Rule) -> str:
    return type(rule).__name__

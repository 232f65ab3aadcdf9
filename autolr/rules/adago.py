"""AdaGO: AdaGrad's step along Muon's direction."""

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT
from typing_extensions import override

from autolr.rules.muon import Muon
from autolr.settings import Positive, Share, check_of, read_number


class AdaGO(Muon):
    """Muon whose step is shorter the more gradients a matrix has seen; AdamW for all the rest.

        v^2 <- v^2 + min(|G|, gamma)^2                   v^2 = v0^2 before the first step
        step = rate max(floor, min(|G|, gamma) / v)      along orth(M), for each matrix

    It is AdaGrad's step along Muon's direction. The floor is a share of the rate, where the paper
    has a number: so a schedule that ends at 0 ends there. The direction has the root mean square of
    AdamW's updates, as of `Muon`.

    Args:
        params: Parameters, or groups of them.
        lr: The rate of both.
        weight_decay: Of both, decoupled, at the rate.
        momentum: Of the direction.
        betas: Of AdamW.
        use_muon: Whether the matrices of groups that do not say so themselves are orthogonalized.
        gamma: The norm from which on a gradient counts as no longer.
        v0: Bounds the first step.
        floor: The least share of the rate.

    Raises:
        ConfigError: If ``gamma`` or ``v0`` is not above 0, or ``floor`` is outside [0, 1].
        UnsupportedError: If this torch has no Muon.

    Source: Zhang et al. 2025, "AdaGrad meets Muon", arXiv:2509.02981. Its text was out of reach:
    the formula is that of secondary texts, which agree, and of code for optax (tinker495/optax,
    ``contrib.adago``), whose gamma and v0 these are; its floor is 1e-6 at any rate.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1e-2,
        weight_decay: float = 0.0,
        momentum: float = 0.95,
        betas: tuple[float, float] = (0.9, 0.999),
        use_muon: bool = True,
        gamma: float = 1.0,
        v0: float = 1.0,
        floor: float = 1e-4,
    ) -> None:
        self._sizes = {
            "gamma": read_number("gamma", check_of(Positive), gamma),
            "v0": read_number("v0", check_of(Positive), v0),
            "floor": read_number("floor", check_of(Share), floor),
        }
        super().__init__(
            params, lr, weight_decay, momentum, nesterov=False, betas=betas, use_muon=use_muon
        )

    @override
    def add_param_group(self, param_group: dict[str, Any]) -> None:
        super().add_param_group({**self._sizes, **param_group})

    @override
    def stepped(self, group: dict[str, Any]) -> Iterator[dict[str, Any]]:
        if not group["use_muon"]:
            yield group
            return
        for matrix in group["params"]:
            if matrix.grad is not None:
                share = self._share(matrix, group)
                decay = group["weight_decay"] / share if share else 0.0
                size = {"lr": group["lr"] * share, "weight_decay": decay}
                yield {**group, **size, "params": [matrix]}

    @torch.no_grad()
    def _share(self, matrix: Tensor, group: dict[str, Any]) -> float:
        """Return the share of the rate that a matrix steps with, of one more gradient."""
        assert matrix.grad is not None
        state = self.state[matrix]
        single = torch.promote_types(matrix.grad.dtype, torch.float32)  # or double
        gamma, v0, floor = (float(group[name]) for name in self._sizes)
        norm = min(float(torch.linalg.vector_norm(matrix.grad, dtype=single)), gamma)
        state["square"] = state.get("square", v0**2) + norm**2  # a float: a checkpoint rounds none
        return max(floor, norm / math.sqrt(state["square"]))

    @override
    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_sizes": self._sizes}

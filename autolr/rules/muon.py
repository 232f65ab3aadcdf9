"""Muon for a whole model."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.optim import AdamW, Optimizer
from torch.optim.optimizer import ParamsT
from typing_extensions import override

from autolr.errors import UnsupportedError


class Muon(Optimizer):
    """`torch.optim.Muon` for the weight matrices, `torch.optim.AdamW` for all the rest.

    Muon trains matrices only; its authors train all other parameters by AdamW. Muon's updates get
    the root mean square of AdamW's (``0.2 sqrt(max(rows, columns))``
    times the orthogonal matrix), so that one rate fits both.

    A matrix is a parameter with two dimensions. Embeddings and the last layer, which are matrices
    better left to AdamW, can be given in a group with ``use_muon: False``. A group is split in
    two where it has both kinds.

    Args:
        params: Parameters, or groups of them.
        lr: The rate of both.
        weight_decay: Of both, decoupled.
        momentum: Of Muon.
        nesterov: Whether Muon looks ahead.
        ns_steps: Newton-Schulz iterations of Muon.
        betas: Of AdamW.
        use_muon: Whether the matrices of groups that do not say so themselves are Muon's.

    Raises:
        UnsupportedError: If this torch has no Muon.

    >>> model = torch.nn.Linear(3, 2)
    >>> [group["use_muon"] for group in Muon(model.parameters()).param_groups]
    [True, False]

    Source: Jordan et al. 2024, kellerjordan.github.io/posts/muon; the common rate: Liu et al.
    2025, arXiv:2502.16982.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_steps: int = 5,
        betas: tuple[float, float] = (0.9, 0.95),
        use_muon: bool = True,
    ) -> None:
        if not hasattr(torch.optim, "Muon"):
            raise UnsupportedError(f"muon needs torch 2.9 or newer, not {torch.__version__}")
        alike: dict[str, Any] = {"lr": lr, "weight_decay": weight_decay}
        own: dict[str, Any] = {"momentum": momentum, "nesterov": nesterov, "ns_steps": ns_steps}
        self._parts: dict[bool, Optimizer] = {
            True: torch.optim.Muon(
                [torch.zeros(1, 1)], adjust_lr_fn="match_rms_adamw", **alike, **own
            ),
            False: AdamW([torch.zeros(1)], betas=betas, **alike),
        }
        super().__init__(params, {**alike, **own, "betas": betas, "use_muon": use_muon})

    @override
    def add_param_group(self, param_group: dict[str, Any]) -> None:
        held = param_group["params"]
        everything = [held] if isinstance(held, Tensor) else list(held)
        wanted = bool(param_group.get("use_muon", self.defaults["use_muon"]))
        for kind, part in self._parts.items():
            own = [item for item in everything if (wanted and _is_matrix(item)) is kind]
            if own:
                rest = {**part.defaults, **self.defaults, **param_group, "use_muon": kind}
                super().add_param_group(rest | {"params": own})

    @override
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for kind, part in self._parts.items():
            own = [group for group in self.param_groups if group["use_muon"] is kind]
            part.param_groups = [one for group in own for one in self.stepped(group)]
            part.state = self.state
            part.step()
        return loss

    def stepped(self, group: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield the groups as which a group takes its step.

        Args:
            group: Of matrices alone, or without any.
        """
        yield group

    @override
    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_parts": self._parts}


def _is_matrix(item: Tensor | tuple[str, Tensor]) -> bool:
    return (item[1] if isinstance(item, tuple) else item).ndim == 2

"""The protocol of a strategy: it takes scores and answers with the next action.

Experimental: these names and fields may change in any version. A strategy is a frozen dataclass
that holds its settings; its state travels as a value, which is stored in checkpoints and equal on
all ranks. `autolr.testing.StrategyContract` is a test to inherit.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from autolr.online.actions import Action
from autolr.online.observation import Observation
from autolr.online.run_info import RunInfo


class State(Protocol):
    """The state of a search: a frozen value; equal observations give equal states. Experimental."""

    @property
    def action(self) -> Action:
        """What must be done next; it stays a `Commit` once it is one."""

    def observe(self, observation: Observation) -> "State":
        """Return the state after the action has been carried out."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values; no infinity, no NaN."""


class Strategy(Protocol):
    """Turns scores into actions. Experimental: it may change between minor versions.

    The methods return a `State`. They are annotated with Any because the parser of LightningCLI
    compares return types for equality, and a strategy names its own.
    """

    @property
    def budget(self) -> float:
        """Steps beside the run at most, as a share of the run's; infinite without a limit."""

    @property
    def rewinds(self) -> bool:
        """Whether it decides by training losses, and rewinds a run that can be rewound.

        Where `RunInfo.rewindable` is set its actions are `Train` and `Commit`. In any other run
        they are `Probe`, with ``ahead``, and `Commit`; a strategy that does not rewind answers with
        `Probe`, `Save`, `Rollback`, `Close` and `Commit`.
        """

    def begin(self, run: RunInfo) -> Any:
        """Return the state in which the search of a run begins."""

    def state_from_dict(self, values: Mapping[str, Any]) -> Any:
        """Return the state that its ``to_dict`` described, equal to it."""

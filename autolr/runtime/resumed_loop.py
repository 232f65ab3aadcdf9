"""Checks of a stored search that a loop of the user's continues."""

from collections.abc import Mapping
from typing import Any

from autolr.errors import ConfigError, UnsupportedError
from autolr.runtime.checkpoint_format import check_format
from autolr.runtime.collectives import Ranks
from autolr.runtime.described import differences


def check_resumed(
    state: Mapping[str, Any], present: Mapping[str, str], ranks: Ranks, *, begun: bool
) -> None:
    """Refuse a state that cannot be continued.

    Args:
        state: What `Tuner.load_state_dict` got.
        present: See `described_settings`.
        ranks: The processes that train the run together.
        begun: Whether the run has made steps already.

    Raises:
        ConfigError: If it is of another search, or loaded too late.
        UnsupportedError: If it is of another version, was cut in a step, or of several ranks.
    """
    if not isinstance(state, Mapping) or "settings" not in state:
        raise ConfigError.of("state", type(state).__name__, "what Tuner.state_dict() returned")
    check_format(state)
    if begun:
        raise ConfigError("load_state_dict must be called before the first step of the Tuner")
    if differing := list(differences(state["settings"], present)):
        raise ConfigError(
            f"the state is of a Tuner with other settings: {'; '.join(differing)}; resume with "
            "those, or begin anew"
        )
    if state["result"] is None and state["search"] is None and state["step"]:
        raise UnsupportedError(
            f"the state of step {state['step']} was written in the middle of a step, and holds no "
            "search to resume: begin anew"
        )
    if ranks.size > 1 and state["search"] is not None:
        raise UnsupportedError("a search under way is not resumed in several processes: begin anew")

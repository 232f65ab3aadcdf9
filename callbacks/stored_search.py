"""What a checkpoint holds of a search: its result, or its state, with the rates of the run."""

from collections.abc import Mapping
from typing import Any

from typing_extensions import override

from autolr.callbacks.resume import stored_search
from autolr.callbacks.resumed_rng import ResumedRng
from autolr.callbacks.rivals import RivalsCallback
from autolr.result.result import Result
from autolr.rng import RngState
from autolr.runtime.checkpoint import ResumableRivals


class StoredSearch(RivalsCallback):
    """Stores a search with each checkpoint; a subclass begins it, or continues the stored one."""

    _result: Result | None = None
    _own_peak: float | None = None
    _stored: dict[str, Any] | None = None  # a search to continue
    _begun_with: Mapping[str, str]
    _generators = ResumedRng(None)

    @override
    def state_dict(self) -> dict[str, Any]:
        stored = self._stored if self._rivals is None else self._search_state()
        result = self._result if stored is None else None
        return {
            "result": None if result is None else result.to_dict(),
            "search": stored,
            "rates": self._rates_state(),
            "generators": RngState.capture().to_dict(),
        }

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        result = state_dict["result"]
        self._result = None if result is None else Result.from_dict(result)
        self._stored = state_dict.get("search")
        self._stored_rates = state_dict.get("rates")
        self._generators = ResumedRng(state_dict.get("generators"))

    @override
    def _release(self) -> None:
        if self._rivals is not None:  # cut: a checkpoint may still be written
            self._stored = self._search_state()
        super()._release()

    def _search_state(self) -> dict[str, Any] | None:
        assert isinstance(self._rivals, ResumableRivals)
        assert self._learner is not None
        return stored_search(self._rivals, self._learner, self._own_peak, self._begun_with)

"""The hyper-parameters of a function."""

from collections.abc import Iterator, Mapping
from typing import Any

from typing_extensions import override

from autolr.errors import unknown_name


class OwnSettings(Mapping[str, Any]):
    """Hyper-parameters by name: ``settings["alpha"]``, ``settings.alpha``, ``**settings``.

    Args:
        values: The values by name.
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = dict(values)

    @override
    def __getitem__(self, name: str) -> Any:
        if name not in self._values:
            raise KeyError(self._unknown(name))
        return self._values[name]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in self._values:
            raise AttributeError(self._unknown(name))
        return self._values[name]

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    @override
    def __len__(self) -> int:
        return len(self._values)

    @override
    def __repr__(self) -> str:
        return f"OwnSettings({self._values})"

    def _unknown(self, name: str) -> str:
        if name in ("lr", "schedule"):
            return f"{name} is no setting: the rate, peak times schedule, is trial.rate(step)"
        return unknown_name("setting", name, self.__dict__.get("_values", ()))

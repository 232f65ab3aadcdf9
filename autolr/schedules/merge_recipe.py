"""Which checkpoints of a run are merged, and with which weights, as a user names it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from autolr.errors import ConfigError, unknown_name
from autolr.schedules._cooldown import Shape, cooldown
from autolr.schedules.averaging import ema_weights, lawa_weights, polynomial_weights
from autolr.schedules.catalogue import parse
from autolr.schedules.merging import merge_weights
from autolr.schedules.schedule import Schedule
from autolr.settings import Array

_LAWA, _POLYNOMIAL, _EMA = "lawa", "polynomial", "ema"
_GAMMA = 8.0  # as of `polynomial_weights`
_NAMES = (*get_args(Shape), _LAWA, _POLYNOMIAL, _EMA)


@dataclass(frozen=True, slots=True)
class MergeRecipe:
    """The weights of the checkpoints of a run.

    Attributes:
        kind: "cooldown", "lawa", "polynomial" or "ema".
        schedule: Of the cooldown that the merge stands for; None for the other kinds.
        setting: ``gamma`` of "polynomial", ``decay`` of "ema".
    """

    kind: str
    schedule: Schedule | None = None
    setting: float = 0.0

    @classmethod
    def of(cls, value: object, latest: int = 2) -> "MergeRecipe":
        """Return the recipe that a user has named.

        Args:
            value: A shape of `cooldown`, a `Schedule` or a mapping of one, ``"lawa"``,
                ``"polynomial"``, ``{"polynomial": gamma}`` or ``{"ema": decay}``.
            latest: How many checkpoints will be merged at most.

        Raises:
            ConfigError: If it is something else, or its setting cannot work.

        >>> MergeRecipe.of("1-sqrt").weights(4).round(3).tolist()
        [0.5, 0.207, 0.159, 0.134]
        >>> MergeRecipe.of({"ema": 0.5}).weights(3).tolist()
        [0.25, 0.25, 0.5]
        """
        try:
            recipe = cls._read(value)
            for count in (2, latest):  # refuses a setting or a schedule that cannot work
                recipe.weights(count)
        except ConfigError as error:
            raise ConfigError(f"weights: {error}") from None
        return recipe

    @classmethod
    def _read(cls, value: Any) -> "MergeRecipe":
        if value == _EMA:
            raise ConfigError("'ema' needs its decay, as in {'ema': 0.99}")
        if value == _POLYNOMIAL:
            return cls(_POLYNOMIAL, setting=_GAMMA)
        if value == _LAWA:
            return cls(_LAWA)
        if isinstance(value, Mapping) and len(value) == 1 and {*value} <= {_POLYNOMIAL, _EMA}:
            ((kind, setting),) = value.items()
            return cls(kind, setting=setting)
        if isinstance(value, str) and value not in _NAMES:
            raise ConfigError(unknown_name("name", value, _NAMES))
        return cls("cooldown", cooldown(None, value) if isinstance(value, str) else parse(value))  # type: ignore[arg-type]

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data: what `of` takes of a schedule or of an average."""
        if self.schedule is not None:
            return self.schedule.to_dict()
        return {self.kind: self.setting}

    @property
    def is_running(self) -> bool:
        """Whether a merge follows from the one before it: no checkpoint has to be kept."""
        return self.kind in (_POLYNOMIAL, _EMA)

    def weights(self, count: int) -> Array:
        """Return the weights of the latest ``count`` checkpoints, the oldest first.

        Args:
            count: How many; all that there were, if `is_running`.
        """
        if self.kind == _POLYNOMIAL:
            return polynomial_weights(count, self.setting)
        if self.kind == _EMA:
            return ema_weights(count, self.setting)
        if self.schedule is None:
            return lawa_weights(count, count)
        return merge_weights(self.schedule, count)
